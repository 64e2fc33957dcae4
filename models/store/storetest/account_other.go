//go:build !linux

package storetest

import "syscall"

// account is whom the server runs as: whoever runs the tests.
type account struct{}

func owner() (account, error) { return account{}, nil }

func (account) own(string) error { return nil }

func (account) attributes() *syscall.SysProcAttr { return nil }
