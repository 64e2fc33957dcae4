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

// common stands before every script but Begin: one rule for who may touch an operation, and how it stands.
const common Script = "common"

// Text is the script's text.
func (s Script) Text() (string, error) {
	before := []byte(nil)
	if s != Begin {
		var err error
		if before, err = common.file(); err != nil {
			return "", err
		}
	}
	text, err := s.file()
	return string(before) + string(text), err
}

func (s Script) file() ([]byte, error) {
	text, err := embedded.ReadFile("scripts/" + string(s) + ".ps1")
	if err != nil {
		return nil, fmt.Errorf("cannot read the script %s: %w", s, err)
	}
	return text, nil
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
