package sftptest

import (
	"net"
	"sync/atomic"
	"testing"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// Trap is an impostor in Go: it takes every password and every key, and counts what it is given.
type Trap struct {
	Address     string
	Connections atomic.Int64
	Attempts    atomic.Int64 // to sign in, of whatever method
	Passwords   atomic.Int64
	Questions   atomic.Int64 // about keys
	Signatures  atomic.Int64
	Sessions    atomic.Int64
}

// Given is everything that no impostor may be given.
func (s *Trap) Given() int64 {
	return s.Attempts.Load() + s.Passwords.Load() + s.Questions.Load() + s.Signatures.Load() + s.Sessions.Load()
}

// StartTrap serves a directory, and shows the host key that keyOf answers for each connection, from 1;
// keyboard lets it ask for the password by a question instead.
func StartTrap(t testing.TB, dir string, keyboard bool, keyOf func(connection int64) Key) *Trap {
	t.Helper()
	s := &Trap{}
	s.Address = listen(t, func(c *net.TCPConn) {
		config := &ssh.ServerConfig{
			AuthLogCallback: func(ssh.ConnMetadata, string, error) { s.Attempts.Add(1) },
			PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) {
				s.Questions.Add(1)
				return &ssh.Permissions{}, nil
			},
			VerifiedPublicKeyCallback: func(_ ssh.ConnMetadata, _ ssh.PublicKey, p *ssh.Permissions,
				_ string) (*ssh.Permissions, error) {
				s.Signatures.Add(1)
				return p, nil
			}}
		if keyboard {
			config.KeyboardInteractiveCallback = func(_ ssh.ConnMetadata,
				ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
				answers, err := ask("", "", []string{"Password: "}, []bool{false})
				if err == nil && len(answers) == 1 {
					s.Passwords.Add(1)
				}
				return nil, err
			}
		} else {
			config.PasswordCallback = func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) {
				s.Passwords.Add(1)
				return nil, nil
			}
		}
		config.AddHostKey(keyOf(s.Connections.Add(1)).Signer)
		s.serve(c, config, dir)
	})
	return s
}

func (s *Trap) serve(c net.Conn, config *ssh.ServerConfig, dir string) {
	_, channels, requests, err := ssh.NewServerConn(c, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for asked := range channels {
		channel, inner, err := asked.Accept()
		if err != nil {
			return
		}
		s.Sessions.Add(1)
		go func() {
			for r := range inner {
				_ = r.Reply(r.Type == "subsystem", nil)
			}
		}()
		server, err := sftp.NewServer(channel, sftp.WithServerWorkingDirectory(dir))
		if err != nil {
			return
		}
		go func() {
			_ = server.Serve()
			_ = channel.Close()
		}()
	}
}
