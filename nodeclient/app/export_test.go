package app

import (
	"io"
	"os"
)

// ReadProxyPassword is what set proxy does with --password-file.
func ReadProxyPassword(file string, in *os.File) (string, error) {
	return setProxyCommand{PasswordFile: file}.password(&env{err: io.Discard}, in)
}
