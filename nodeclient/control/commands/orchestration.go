package commands

import (
	"errors"
	"strconv"

	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/onboarding"
	"connecthub/nodeclient/control/sshport"
)

type setOrchestration struct {
	SSHPort setSSHPort `cmd:"" name:"ssh-port" help:"Say at which port the machines of the inventory take SSH."`
}

type setSSHPort struct {
	Port string `arg:"" optional:"" help:"1 to 65535. Default: a prompt."`
}

// Run replaces the port for all machines. Host keys are kept by name and port: those of Windows machines
// are confirmed anew, those of VOS machines are known from their onboarding.
func (p setSSHPort) Run(s *console.Session) error {
	if err := s.Publisher(); err != nil {
		return err
	}
	now, _, err := sshport.Read(s.Dir, s.Now)
	if err != nil && !errors.Is(err, sshport.ErrRange) {
		return err
	}
	if p.Port == "" && !s.Terminal() {
		return console.Refuse("port_needed", "give the port: set orchestration ssh-port PORT",
			"ポートを指定してください: set orchestration ssh-port PORT")
	}
	typed, err := s.Ask("SSH port of the machines", "", p.Port, strconv.Itoa(now))
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(typed)
	if err != nil {
		return sshPortRange(sshport.ErrRange)
	}
	if err := sshport.Set(s.Dir, s.Now, s.Who, port); err != nil {
		return sshPortRange(err)
	}
	if err := onboarding.Pin(s.Dir, s.Now); err != nil {
		return err
	}
	s.Say(updated)
	return nil
}

func sshPortRange(err error) error {
	if errors.Is(err, sshport.ErrRange) {
		r := console.Refuse("port_range", "a port is a number from 1 to 65535", "ポートは 1~65535 の数字です")
		r.Err = err
		return r
	}
	return err
}

type showOrchestration struct {
	SSHPort showSSHPort `cmd:"" name:"ssh-port" help:"Show at which port the machines of the inventory take SSH."`
}

type showSSHPort struct {
	JSON bool `help:"As JSON."`
}

// Run works on both control nodes.
func (p showSSHPort) Run(s *console.Session) error {
	port, meta, err := sshport.Read(s.Dir, s.Now)
	if err != nil {
		return sshPortRange(err)
	}
	if p.JSON {
		return s.JSON(struct {
			Port int    `json:"port"`
			By   string `json:"by"`
		}{port, meta.By})
	}
	s.Say("SSH port : %d", port)
	return nil
}
