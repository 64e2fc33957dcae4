// Command gotest runs "go test -json" and prints what a person wants to see: failures whole, skips
// with their reason, figures of proofs, and one closing line. It knows nothing of the tests.
//
//	gotest [-proof] [-noskip] ARGUMENTS OF go test
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"sort"
	"strings"
)

type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64
}

type summary struct {
	passed, failed, skipped int
	output                  map[string][]string
	skips, proofs, broken   []string
}

func main() {
	args := os.Args[1:]
	proofOnly, noSkip := false, false
	for len(args) > 0 && (args[0] == "-proof" || args[0] == "-noskip") {
		proofOnly = proofOnly || args[0] == "-proof"
		noSkip = noSkip || args[0] == "-noskip"
		args = args[1:]
	}
	os.Exit(run(args, proofOnly, noSkip))
}

func run(args []string, proofOnly, noSkip bool) int {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s := summary{output: map[string][]string{}}
	lines := bufio.NewScanner(out)
	lines.Buffer(make([]byte, 1<<20), 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Println(lines.Text())
			continue
		}
		s.take(e, proofOnly)
	}
	err = cmd.Wait()
	return s.close(err, noSkip)
}

func (s *summary) take(e event, proofOnly bool) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		s.output[key] = append(s.output[key], e.Output)
		if strings.HasPrefix(e.Output, "proof ") {
			s.proofs = append(s.proofs, strings.TrimSpace(e.Output))
		}
	case "build-output":
		fmt.Print(e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			s.closePackage(e, proofOnly)
			return
		}
		s.closeTest(e, key)
	}
}

func (s *summary) closePackage(e event, proofOnly bool) {
	if e.Action == "fail" {
		s.broken = append(s.broken, e.Package)
		fmt.Print(strings.Join(s.output[e.Package+" "], ""))
		return
	}
	if e.Action == "pass" && !proofOnly {
		fmt.Printf("ok  \t%s\t%.1fs\n", e.Package, e.Elapsed)
	}
}

func (s *summary) closeTest(e event, key string) {
	switch e.Action {
	case "pass":
		s.passed++
	case "fail":
		s.failed++
		fmt.Print(strings.Join(s.output[key], ""))
	case "skip":
		s.skipped++
		s.skips = append(s.skips, "SKIP "+key+": "+strings.Join(s.output[key], " "))
	}
	if e.Action != "fail" {
		delete(s.output, key)
	}
}

func (s *summary) close(err error, noSkip bool) int {
	for _, line := range s.skips {
		fmt.Println(strings.Join(strings.Fields(line), " "))
	}
	sort.Strings(s.proofs)
	for _, line := range s.proofs {
		fmt.Println(line)
	}
	for _, pkg := range s.broken {
		fmt.Println("FAIL\t" + pkg)
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", s.passed, s.failed, s.skipped)
	switch {
	case err != nil:
		return 1
	case noSkip && s.skipped > 0:
		fmt.Println("a test was skipped, and here none may be")
		return 1
	}
	return 0
}
