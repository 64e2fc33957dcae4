package commands

import (
	"strings"

	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/mail"
	"connecthub/nodeclient/control/settings"
)

type utilsSMTP struct {
	TestConnection smtpTest        `cmd:"" help:"Reach the SMTP server with the present settings; a test mail on demand."`
	Subscribe      smtpSubscribe   `cmd:"" help:"Add people who get this node's mail, in the session's language."`
	Unsubscribe    smtpUnsubscribe `cmd:"" help:"Take people away, or all."`
	Show           smtpShow        `cmd:"" help:"Show who gets this node's mail."`
	RemoveConfig   smtpRemove      `cmd:"" help:"Forget the SMTP server and how to sign in there; subscribers stay."`
}

type smtpTest struct {
	jsonFlag
	SendTo string `help:"Send a test mail there. Default: a prompt; none in a script." placeholder:"ADDRESS"`
}

// Run works on both control nodes: each sends for itself.
func (c smtpTest) Run(s *console.Session) error {
	if err := s.Owner(); err != nil {
		return err
	}
	box, err := mailBox(s)
	if err != nil {
		return err
	}
	now, err := mail.Load(settings.Open(s.Dir, s.Now))
	if err != nil {
		return err
	}
	if err := now.Ready(); err != nil { // before anybody is asked anything
		return err
	}
	to := c.SendTo
	if to == "" && s.Terminal() && !c.JSON {
		if to, err = s.AskOptional("Send a test mail to (nothing: none)", "send-to", "", ""); err != nil {
			return err
		}
	}
	if to != "" {
		if to, err = mail.Address(to); err != nil {
			return err
		}
	}
	s.Note("Connecting to %s (%s)...", now.Host, now.TLS)
	if err := box.Test(s.Ctx, to, s.Lang); err != nil {
		return err
	}
	if c.JSON {
		return s.JSON(struct {
			Done   bool   `json:"done"`
			Host   string `json:"host"`
			SentTo string `json:"sent_to"`
		}{true, now.Host, to})
	}
	s.Say("Connectivity check to %s was successful.", now.Host)
	if to != "" {
		s.Say("A test mail was sent to %s.", to)
	}
	return nil
}

type subscriptionsView struct {
	Subscriptions []mail.Subscriber `json:"subscriptions"`
}

func subscriptionsDone(s *console.Session, store *settings.Store, asJSON bool, sentence string) error {
	all, err := mail.Subscribers(store)
	if err != nil {
		return err
	}
	if asJSON {
		return s.JSON(subscriptionsView{append([]mail.Subscriber{}, all...)})
	}
	s.Say("%s", sentence)
	return nil
}

type smtpSubscribe struct {
	jsonFlag
	Addresses []string `arg:"" optional:"" sep:"none" help:"Addresses with commas between them, no spaces."`
}

// Run adds all of them or none.
func (c smtpSubscribe) Run(s *console.Session) error {
	if err := s.Publisher(); err != nil {
		return err
	}
	addresses, err := addressList(s, "utils smtp subscribe a@x,b@x", "Mail addresses", c.Addresses)
	if err != nil {
		return err
	}
	store := settings.Open(s.Dir, s.Now)
	if err := mail.Subscribe(store, s.Who, s.Lang, addresses); err != nil {
		return err
	}
	return subscriptionsDone(s, store, c.JSON, "Subscribed: "+strings.Join(addresses, ","))
}

// addressList takes one word with commas. Several words mean that somebody wrote spaces.
func addressList(s *console.Session, command, prompt string, given []string) ([]string, error) {
	typed, err := argument(s, command, prompt, strings.Join(given, " "), "")
	if err != nil {
		return nil, err
	}
	if strings.ContainsAny(typed, " \t") {
		return nil, console.Refuse("commas_no_spaces", "write the addresses with commas between them and no spaces",
			"アドレスはカンマで区切り、空白を入れずに指定してください")
	}
	return strings.Split(typed, ","), nil
}

type smtpUnsubscribe struct {
	jsonFlag
	Addresses []string `arg:"" optional:"" sep:"none" help:"Addresses with commas between them, or all."`
	Yes       bool     `help:"Do not ask."`
}

// Run takes all of them away or none.
func (c smtpUnsubscribe) Run(s *console.Session) error {
	if err := s.Publisher(); err != nil {
		return err
	}
	addresses, err := addressList(s, "utils smtp unsubscribe a@x|all", "Mail addresses, or all", c.Addresses)
	if err != nil {
		return err
	}
	who := strings.Join(addresses, ",")
	if err := s.Confirm("No more mail goes to "+console.Printable(who)+".", "yes", c.Yes); err != nil {
		return err
	}
	store := settings.Open(s.Dir, s.Now)
	if who == console.All {
		err = mail.UnsubscribeAll(store, s.Who)
	} else {
		err = mail.Unsubscribe(store, s.Who, addresses)
	}
	if err != nil {
		return err
	}
	return subscriptionsDone(s, store, c.JSON, "Unsubscribed: "+who)
}

type smtpShow struct {
	Subscriptions smtpSubscriptions `cmd:"" help:"List who gets this node's mail."`
}

type smtpSubscriptions struct{ jsonFlag }

// Run works on both control nodes.
func (c smtpSubscriptions) Run(s *console.Session) error {
	all, err := mail.Subscribers(settings.Open(s.Dir, s.Now))
	if err != nil {
		return err
	}
	if c.JSON {
		return s.JSON(subscriptionsView{append([]mail.Subscriber{}, all...)})
	}
	if len(all) == 0 {
		s.Say("Nobody is subscribed.")
	}
	for _, one := range all {
		s.Say("%s (%s)", one.Address, one.Language)
	}
	return nil
}

type smtpRemove struct {
	jsonFlag
	Yes bool `help:"Do not ask."`
}

// Run forgets the password, too.
func (c smtpRemove) Run(s *console.Session) error {
	if err := s.Publisher(); err != nil {
		return err
	}
	if err := s.Confirm("The SMTP server, the sender, the user and the password are removed; subscribers stay.", "yes",
		c.Yes); err != nil {
		return err
	}
	store := settings.Open(s.Dir, s.Now)
	if err := mail.Remove(store, s.Who); err != nil {
		return err
	}
	return mailDone(s, store, c.JSON)
}
