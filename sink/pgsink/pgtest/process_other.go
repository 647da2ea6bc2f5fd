//go:build !unix

package pgtest

// Systems without the signals that a server is handled with: there are no servers on them.

import (
	"context"
	"errors"
	"os/exec"
)

const supported = false

var errUnsupported = errors.New("this system is not a Unix")

type credential struct{}

func unprivileged() (*credential, error) { return nil, errUnsupported }
func (*credential) String() string       { return "" }
func (*credential) own(...string) error  { return errUnsupported }
func (*credential) run(*exec.Cmd)        {}

type process struct{ ended chan struct{} }

func startProcess(*exec.Cmd) (*process, error)  { return nil, errUnsupported }
func (*process) pause()                         {}
func (*process) resume()                        {}
func (*process) kill()                          {}
func (*process) interrupt(context.Context) bool { return false }
