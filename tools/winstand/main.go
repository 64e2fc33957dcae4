// Command winstand stands in for the machines of a deployment where there are none: put as powershell.exe
// or connecthub-vos on the PATH of a real sshd, it is a Windows or a VOS machine whose state is a folder.
// It takes exactly the scripts of the drivers, and knows no procedure.
//
//	WINSTAND=/folder powershell.exe -NoProfile -NonInteractive -EncodedCommand …
//	WINSTAND=/folder connecthub-vos
//
// The folder holds machine.json (what the machine is), operations/, files/, events (when it was
// disturbed) and, put there by whoever tests, faults/:
//
//	exit       the next installer ends with the exit code in this file
//	hang       the next operation never ends
//	no-return  the next restart never comes back
//	disk-full  there is no room, while the file is there
//	cut        the next start of an operation cuts its connection
//	not-begun  the next start of an operation dies before anything runs: its record is all there is
//	die        the next operation's runner dies in the middle, and nothing else happens
//	crash      the next operation is lost in the middle: the machine restarts by itself
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const maxRequest = 4 << 20

func main() {
	if err := run(os.Args, os.Getenv("WINSTAND")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(64)
	}
}

func run(args []string, dir string) error {
	if dir == "" {
		return fmt.Errorf("WINSTAND names no folder")
	}
	f := folder(dir)
	if len(args) == 3 && args[1] == "run" {
		return f.work(args[2])
	}
	f.remember()
	text, err := io.ReadAll(io.LimitReader(os.Stdin, maxRequest))
	if err != nil {
		return err
	}
	var answer any
	if strings.HasPrefix(filepath.Base(args[0]), "connecthub-vos") {
		answer, err = f.vos(text)
	} else {
		answer, err = f.powershell(args[1:], text)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(answer)
}
