package commands

import (
	"strings"

	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/enroll"
)

// Run is "run …", at the prompt.
type Run struct {
	SQL runSQL `cmd:"" name:"sql" help:"One statement: select * from applicationuser."`
}

const applicationUsers = "select * from applicationuser"

type runSQL struct {
	Statement []string `arg:"" help:"select * from applicationuser"`
	JSON      bool     `help:"As JSON."`
}

// Run answers the one statement that the original's documents use. There is no database behind it, and
// nothing but names comes out of it.
func (r runSQL) Run(s *console.Session) error {
	words := strings.Fields(strings.ToLower(strings.Join(r.Statement, " ")))
	if asked := strings.TrimSuffix(strings.Join(words, " "), ";"); strings.TrimSpace(asked) != applicationUsers {
		return console.Refuse("statement_unknown", "the only statement here is: %s",
			"ここで使えるステートメントは次の 1 つだけです: %s", applicationUsers)
	}
	if err := s.Owner(); err != nil {
		return err
	}
	c, err := enroll.LoadConfig(s.Dir)
	if err != nil {
		return err
	}
	if r.JSON {
		return s.JSON([]struct {
			Name string `json:"name"`
		}{{c.AppUser}})
	}
	s.Say("%s", "name")
	s.Say("%s", strings.Repeat("=", max(len("name"), len(c.AppUser))))
	s.Say("%s", c.AppUser)
	return nil
}
