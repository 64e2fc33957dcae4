package app

import (
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"connecthub/nodeclient/control/console"
)

// ReadProxyPassword is what set proxy does with --password-file.
func ReadProxyPassword(file string, in *os.File) (string, error) {
	return setProxyCommand{PasswordFile: file}.password(&env{session: &console.Session{In: in,
		Err: io.Discard}})
}

// PromptCommands are the commands of the prompt, each with all its words, without nodeclient's own.
func PromptCommands() []string {
	exited := 0
	e := &env{session: &console.Session{}}
	parser, err := e.parser(&shellTree{}, promptTree, "/", &exited)
	if err != nil {
		panic(err)
	}
	var all []string
	for _, leaf := range parser.Model.Leaves(true) {
		all = append(all, strings.TrimPrefix(commandOf(leaf), "admin "))
	}
	return all
}

func commandOf(n *kong.Node) string {
	if n.Parent == nil {
		return n.Name
	}
	return commandOf(n.Parent) + " " + n.Name
}
