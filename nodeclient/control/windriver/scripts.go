package windriver

import (
	"embed"
	"encoding/base64"
	"fmt"
	"unicode/utf16"

	"connecthub/nodeclient/control/remote"
)

//go:embed scripts/*.ps1
var embedded embed.FS

// Script is a constant PowerShell text by its name; run is what the machine runs apart from us.
type Script string

// The scripts.
const (
	Begin  Script = "begin" // reads the others from standard input
	Facts  Script = "facts"
	Start  Script = "start"
	Status Script = "status"
	Digest Script = "digest"
	Runner Script = "run"
)

// Text is the script's text.
func (s Script) Text() (string, error) {
	text, err := embedded.ReadFile("scripts/" + string(s) + ".ps1")
	if err != nil {
		return "", fmt.Errorf("cannot read the script %s: %w", s, err)
	}
	return string(text), nil
}

// Command is the only command that ever runs on a Windows machine. cmd.exe takes at most 8191
// characters, so that it only begins what standard input brings.
func Command() (remote.Command, error) {
	text, err := Begin.Text()
	if err != nil {
		return "", err
	}
	var raw []byte
	for _, u := range utf16.Encode([]rune(text)) {
		raw = append(raw, byte(u), byte(u>>8))
	}
	return remote.Command("powershell.exe -NoProfile -NonInteractive -EncodedCommand " +
		base64.StdEncoding.EncodeToString(raw)), nil
}
