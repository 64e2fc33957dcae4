package app

import (
	"io"
	"os"

	"connecthub/nodeclient/control/console"
)

// ReadProxyPassword is what set proxy does with --password-file.
func ReadProxyPassword(file string, in *os.File) (string, error) {
	return setProxyCommand{PasswordFile: file}.password(&env{session: &console.Session{In: in,
		Err: io.Discard}})
}
