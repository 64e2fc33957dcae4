package commands

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/logs"
	"connecthub/nodeclient/control/repository"
	"connecthub/nodeclient/control/settings"
	"connecthub/nodeclient/enroll"
)

const (
	fetching = "Fetching existing configuration..."
	updated  = "The config details updated successfully."

	exportRestricted   = "restricted"
	exportUnrestricted = "unrestricted"
)

type imageRepository struct {
	Set                 repositorySet  `cmd:"" help:"Say where software comes from; asked before it is kept."`
	Show                repositoryShow `cmd:"" help:"Show where software comes from."`
	AuthenticationType  authType       `cmd:"" help:"API Key or Identity Token."`
	AuthenticationToken authToken      `cmd:"" help:"The rotation of the identity token."`
}

type repositorySet struct {
	URL        string `name:"url" help:"Artifactory URL." placeholder:"https://HOST/binaries"`
	Repository string `help:"Repository name."`
	KeyFile    string `help:"File with the API key or the identity token, one line; - for standard input. Default: a prompt." placeholder:"FILE"`
	Export     string `enum:"restricted,unrestricted," default:"" help:"Which software: restricted (by export rules) or unrestricted."`
	JSON       bool   `help:"As JSON."`
}

// repositoryView is a configuration as it is shown; the secret is asterisks and its last four.
type repositoryView struct {
	URL                string            `json:"url"`
	Repository         string            `json:"repository"`
	AuthenticationType string            `json:"authentication_type"`
	Key                repository.Secret `json:"key"`
	Export             string            `json:"export"`
	ExpiresAt          *time.Time        `json:"expires_at,omitempty"`
	Revision           int64             `json:"revision"`
}

// Run asks the repository whether all this may be used, and only then keeps it.
func (r repositorySet) Run(s *console.Session) error {
	if err := s.Publisher(); err != nil {
		return err
	}
	hold, err := s.Orchestrate("utils image-repository set")
	if err != nil {
		return err
	}
	defer hold.Release()
	s.Note(fetching)
	store := settings.Open(s.Dir, s.Now)
	before, _, err := repository.Load(store)
	if err != nil {
		return err
	}
	after, err := r.ask(s, before)
	if err != nil {
		return err
	}
	found, err := entitled(s, after)
	if err != nil {
		return err
	}
	after.CheckedAt, after.ExpiresAt = s.Now().UTC(), found.ExpiresAt.UTC()
	meta, err := repository.Update(store, s.Who, func(present *repository.Config) error {
		if present.Secret != before.Secret {
			return console.Refuse("changed_meanwhile", "the configuration has been changed meanwhile; run it again",
				"設定がほかから変更されました。もう一度実行してください")
		}
		after.Type = present.Type
		*present = after
		return nil
	})
	if err != nil {
		return err
	}
	if r.JSON {
		return s.JSON(viewOf(after, meta))
	}
	s.Say(updated)
	if before.Configured() && before.Restricted != after.Restricted {
		s.Note("The %s software is removed when the agent starts the next time, and the %s is downloaded 10 "+
			"minutes later. Or run: utils initiate software-download", exportOf(before), exportOf(after))
	}
	return nil
}

// ask takes what flags leave open from prompts. A secret goes to no other server than the one it was
// given for.
func (r repositorySet) ask(s *console.Session, now repository.Config) (c repository.Config, err error) {
	url, name := now.URL, now.Repository
	if !now.Configured() {
		name = repository.DefaultRepository
		if node, err := enroll.LoadConfig(s.Dir); err == nil {
			url = strings.TrimRight(node.Hub, "/") + "/binaries"
		}
	}
	c = repository.Config{Kind: now.Type, Secret: "placeholder"}
	if c.URL, err = s.Ask("Artifactory URL", "url", r.URL, url); err != nil {
		return c, err
	}
	if c.Repository, err = s.Ask("Repository name", "repository", r.Repository, name); err != nil {
		return c, err
	}
	if c, err = c.Checked(); err != nil { // before a secret is asked for
		return c, err
	}
	kept := now.Secret
	if now.Kind != now.Type || now.Server() != c.Server() {
		kept = ""
	}
	prompt := now.Type.Label()
	if kept != "" {
		prompt += " [" + kept.String() + "]"
	}
	typed, err := s.Secret(prompt, "key-file", r.KeyFile)
	if err != nil {
		return c, err
	}
	if c.Secret = repository.Secret(typed); typed == "" {
		c.Secret = kept
	}
	if c, err = c.Checked(); err != nil {
		return c, err
	}
	var given []string
	if r.Export != "" {
		given = []string{r.Export}
	}
	current := ""
	if now.Configured() {
		current = " [" + exportOf(now) + "]"
	}
	chosen, err := s.Choose("Which software is downloaded"+current, "export", given, []console.Option{
		{Value: exportRestricted, Text: "Export restricted software"},
		{Value: exportUnrestricted, Text: "Export unrestricted software"}}, console.One)
	if err != nil {
		return c, err
	}
	c.Restricted = chosen[0] == 0
	return c, nil
}

// entitled asks the repository. A refusal goes to the log of the commands in the words that support
// looks for.
func entitled(s *console.Session, c repository.Config) (repository.Entitlement, error) {
	way, err := enroll.RepositoryTransport(s.Dir, c.Host())
	if err != nil {
		return repository.Entitlement{}, err
	}
	defer way.CloseIdleConnections()
	client, err := repository.New(c, way, s.Lang)
	if err != nil {
		return repository.Entitlement{}, err
	}
	found, err := client.Entitlement(s.Ctx)
	log := logs.Open(s.Dir, logs.CLI)
	var refusal *repository.Refusal
	switch {
	case errors.As(err, &refusal):
		for _, line := range refusal.LogLines() {
			err = errors.Join(err, log.Line(s.Now(), "%s", line))
		}
	case err != nil:
		err = errors.Join(err, log.Line(s.Now(), "Cisco Artifactory configuration failed. %v", err))
	}
	return found, err
}

func exportOf(c repository.Config) string {
	if c.Restricted {
		return exportRestricted
	}
	return exportUnrestricted
}

func viewOf(c repository.Config, meta settings.Meta) repositoryView {
	v := repositoryView{URL: c.URL, Repository: c.Repository, AuthenticationType: c.Kind.Label(),
		Key: c.Secret, Export: exportOf(c), Revision: meta.Revision}
	if !c.ExpiresAt.IsZero() {
		v.ExpiresAt = &c.ExpiresAt
	}
	return v
}

type repositoryShow struct {
	JSON bool `help:"As JSON."`
}

// Run shows the configuration.
func (r repositoryShow) Run(s *console.Session) error {
	if err := s.Publisher(); err != nil {
		return err
	}
	c, meta, err := repository.Load(settings.Open(s.Dir, s.Now))
	if err != nil {
		return err
	}
	if !c.Configured() {
		return noRepository()
	}
	v := viewOf(c, meta)
	if r.JSON {
		return s.JSON(v)
	}
	s.Say("Artifactory URL     : %s", v.URL)
	s.Say("Repository name     : %s", v.Repository)
	s.Say("Authentication type : %s", v.AuthenticationType)
	s.Say("%-20s: %s", v.AuthenticationType, v.Key)
	s.Say("Software            : export %s", v.Export)
	if v.ExpiresAt != nil {
		s.Say("Valid until         : %s", s.Moment(*v.ExpiresAt))
	}
	return nil
}

type authType struct {
	Set  authTypeSet  `cmd:"" help:"Choose what the next image-repository set asks for."`
	Show authTypeShow `cmd:"" help:"Show what opens the repository."`
}

type authTypeSet struct {
	Type string `enum:"api-key,identity-token," default:"" help:"api-key or identity-token."`
	JSON bool   `help:"As JSON."`
}

// Run keeps the choice; what is in use stays until image-repository set gives the other.
func (a authTypeSet) Run(s *console.Session) error {
	if err := s.Publisher(); err != nil {
		return err
	}
	s.Note(fetching)
	store := settings.Open(s.Dir, s.Now)
	now, _, err := repository.Load(store)
	if err != nil {
		return err
	}
	kinds := []repository.Kind{repository.APIKey, repository.IdentityToken}
	var given []string
	if a.Type != "" {
		given = []string{a.Type}
	}
	chosen, err := s.Choose("Authentication type ["+now.Type.Label()+"]", "type", given, []console.Option{
		{Value: "api-key", Text: kinds[0].Label()}, {Value: "identity-token", Text: kinds[1].Label()}},
		console.One)
	if err != nil {
		return err
	}
	_, err = repository.Update(store, s.Who, func(c *repository.Config) error {
		c.Type = kinds[chosen[0]]
		now = *c
		return nil
	})
	if err != nil {
		return err
	}
	if a.JSON {
		return s.JSON(authTypeView(now))
	}
	s.Say(updated)
	if now.Type != now.Kind {
		s.Note("Run utils image-repository set to give the %s.", now.Type.Label())
	}
	return nil
}

type authTypeRow struct {
	AuthenticationType string `json:"authentication_type"`
	InUse              string `json:"in_use,omitempty"`
}

func authTypeView(c repository.Config) authTypeRow {
	row := authTypeRow{AuthenticationType: c.Type.Label()}
	if c.Configured() {
		row.InUse = c.Kind.Label()
	}
	return row
}

type authTypeShow struct {
	JSON bool `help:"As JSON."`
}

// Run shows the choice, and what is in use where that differs.
func (a authTypeShow) Run(s *console.Session) error {
	if err := s.Publisher(); err != nil {
		return err
	}
	c, _, err := repository.Load(settings.Open(s.Dir, s.Now))
	if err != nil {
		return err
	}
	row := authTypeView(c)
	if a.JSON {
		return s.JSON(row)
	}
	s.Say("Authentication type : %s", row.AuthenticationType)
	if row.InUse != "" && row.InUse != row.AuthenticationType {
		s.Say("In use until the next image-repository set : %s", row.InUse)
	}
	return nil
}

type authToken struct {
	AutoRotate tokenRotate `cmd:"" help:"Say when the identity token is rotated, and from when on failures are mailed."`
	Show       tokenShow   `cmd:"" help:"Show the rotation and the token's end."`
}

type tokenRotate struct {
	RotateBefore string `help:"Days before the token's end at which it is rotated, 1 to 30." placeholder:"DAYS"`
	MailBefore   string `help:"Days before the token's end from which failures are mailed, 1 to 10." placeholder:"DAYS"`
	JSON         bool   `help:"As JSON."`
}

type rotationView struct {
	RotateBefore       int        `json:"rotate_before_days"`
	MailBefore         int        `json:"mail_before_days"`
	AuthenticationType string     `json:"authentication_type"`
	ExpiresAt          *time.Time `json:"expires_at,omitempty"`
}

func rotationOf(s *console.Session) (v rotationView, err error) {
	store := settings.Open(s.Dir, s.Now)
	r, err := repository.LoadRotation(store)
	if err != nil {
		return v, err
	}
	c, _, err := repository.Load(store)
	v = rotationView{RotateBefore: r.TriggerDays, MailBefore: r.WarnDays, AuthenticationType: c.Kind.Label()}
	if !c.ExpiresAt.IsZero() && c.Kind == repository.IdentityToken {
		v.ExpiresAt = &c.ExpiresAt
	}
	return v, err
}

// Run keeps both numbers; the check itself is daily, see orchestration-job.
func (t tokenRotate) Run(s *console.Session) error {
	if err := s.Publisher(); err != nil {
		return err
	}
	s.Note(fetching)
	store := settings.Open(s.Dir, s.Now)
	now, err := repository.LoadRotation(store)
	if err != nil {
		return err
	}
	if now.TriggerDays, err = days(s, "Rotate the token how many days before its expiry (1-30)",
		"rotate-before", t.RotateBefore, now.TriggerDays, repository.MaxTrigger); err != nil {
		return err
	}
	if now.WarnDays, err = days(s, "Mail failures from how many days before its expiry (1-10)",
		"mail-before", t.MailBefore, now.WarnDays, repository.MaxWarn); err != nil {
		return err
	}
	if err := now.Save(store, s.Who); err != nil {
		return err
	}
	if t.JSON {
		v, err := rotationOf(s)
		if err != nil {
			return err
		}
		return s.JSON(v)
	}
	s.Say(updated)
	return nil
}

// days is a number that is asked for.
func days(s *console.Session, prompt, flag, given string, current, most int) (int, error) {
	typed, err := s.Ask(prompt, flag, given, strconv.Itoa(current))
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(typed)
	if err != nil || n < 1 || n > most {
		return 0, console.Refuse("not_a_number_of_days", "--%s: give a number from 1 to %d",
			"--%s: 1 から %d までの数を指定してください", flag, most)
	}
	return n, nil
}

type tokenShow struct {
	JSON bool `help:"As JSON."`
}

// Run shows the rotation.
func (t tokenShow) Run(s *console.Session) error {
	if err := s.Publisher(); err != nil {
		return err
	}
	v, err := rotationOf(s)
	if err != nil {
		return err
	}
	if t.JSON {
		return s.JSON(v)
	}
	s.Say("Rotated             : %d days before its end", v.RotateBefore)
	s.Say("Failures are mailed : from %d days before its end", v.MailBefore)
	end := "no identity token is in use"
	if v.ExpiresAt != nil {
		end = s.Moment(*v.ExpiresAt)
	}
	s.Say("Token's end         : %s", end)
	return nil
}
