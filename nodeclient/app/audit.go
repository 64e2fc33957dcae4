package app

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/logs"
)

// audited runs a command of the prompt and writes down who ran it: before, because it may be killed,
// and when it has ended. What only shows something leaves no line.
func (e *env) audited(k *kong.Context) error {
	words := wordsOf(k.Selected())
	if !leavesALine(words) {
		return k.Run(e)
	}
	act := logs.Act{Who: e.session.Who, Command: strings.Join(words, " "), Process: os.Getpid(),
		Outcome: logs.Begun}
	e.record(act)
	err := k.Run(e)
	switch {
	case errors.Is(err, console.ErrQuit), errors.Is(err, context.Canceled):
		act.Outcome = logs.Quit
	case err != nil:
		act.Outcome = logs.Failed
	default:
		act.Outcome = logs.Done
	}
	e.record(act)
	return err
}

// record does not keep a command from being done: a full disk is what some commands put right.
func (e *env) record(act logs.Act) {
	if err := logs.Record(e.session.Dir, e.now(), act); err != nil {
		e.log.Warn("this command stands in no audit log", "error", err)
	}
}

// wordsOf is a command without the program's name.
func wordsOf(n *kong.Node) []string {
	var words []string
	for ; n != nil && n.Parent != nil; n = n.Parent {
		words = append([]string{n.Name}, words...)
	}
	return words
}

func leavesALine(words []string) bool {
	if len(words) < 2 || !slices.Contains([]string{"utils", "set", "run", "file"}, words[0]) {
		return false
	}
	return !slices.ContainsFunc(words[1:], func(w string) bool {
		return slices.Contains([]string{"show", "list", "view", "tail", "status", "sample", "versions",
			"check", "check-authorized-keys"}, w)
	})
}
