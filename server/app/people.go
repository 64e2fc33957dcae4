package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"connecthub/hub/identity"
	"connecthub/models"
)

// peopleCommand is one of the commands about organizations and people; done says whether there is
// such a one.
func (c command) peopleCommand(ctx context.Context, words string) (done bool, err error) {
	who, tenants, people := c.hub.identity, c.line.Organization, c.line.User
	switch words {
	case "organization create <name>":
		return true, c.createOrganization(ctx)
	case "organization list":
		return true, c.listOrganizations(ctx)
	case "organization disable <name>":
		return true, c.lock(ctx, tenants.Disable.Name, who.DisableOrganization, "disabled")
	case "organization enable <name>":
		return true, c.lock(ctx, tenants.Enable.Name, who.EnableOrganization, "enabled")
	case "organization set-domain <name>", "organization set-domain <name> <domain>":
		return true, c.setDomain(ctx, tenants.Domain.Name, tenants.Domain.Domain)
	case "organization require-second-factor <name>":
		return true, c.requireFactor(ctx, tenants.SecondFactor.Name, !tenants.SecondFactor.Off)
	case "organization invite <name> <email>":
		o, err := who.Organization(ctx, tenants.Invite.Name)
		if err != nil {
			return true, fmt.Errorf("cannot find organization %q: %w", tenants.Invite.Name, err)
		}
		return true, c.invite(ctx, o, tenants.Invite.Email, models.Role(tenants.Invite.Role))
	case "user create <email>":
		return true, c.createUser(ctx)
	case "user list":
		return true, c.listUsers(ctx)
	case "user reset-password <email>":
		return true, c.resetPassword(ctx)
	case "user reset-second-factor <email>":
		return true, c.person(ctx, people.ResetSecondFactor.Email, who.ResetSecondFactor,
			"has no second factor any more")
	case "user disable <email>":
		return true, c.person(ctx, people.Disable.Email, who.DisableUser, "is disabled")
	case "user enable <email>":
		return true, c.person(ctx, people.Enable.Email, who.EnableUser, "is enabled")
	}
	return false, nil
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func stateOf(disabled *time.Time) string {
	if disabled != nil {
		return "disabled"
	}
	return "enabled"
}

func (c command) createOrganization(ctx context.Context) error {
	n := c.line.Organization.Create
	o, err := c.hub.identity.CreateOrganization(ctx, actor(models.Organization{}), n.Name, n.Zone,
		n.Language)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "created organization %s (%s)\n", o.Name, o.ID)
	if n.Domain != "" {
		if err := c.setDomain(ctx, o.Name, n.Domain); err != nil {
			return err
		}
	}
	if n.Admin != "" {
		return c.invite(ctx, o, n.Admin, models.FullAdmin)
	}
	return nil
}

// invite prints the link, which stands nowhere else.
func (c command) invite(ctx context.Context, o models.Organization, email string,
	role models.Role) error {
	n, link, err := c.hub.identity.Invite(ctx, actor(o), o.ID, email, role)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "invited %s as %s of %s, until %s:\n%s\nThe link is not shown again; "+
		"whoever has it is let in.\n", n.Email, n.Role, o.Name,
		n.ExpiresAt.Format(time.RFC3339), link)
	return nil
}

func (c command) setDomain(ctx context.Context, name, domain string) error {
	o, err := c.hub.identity.Organization(ctx, name)
	if err != nil {
		return fmt.Errorf("cannot find organization %q: %w", name, err)
	}
	if err := c.hub.identity.SetDomain(ctx, actor(o), name, domain); err != nil {
		return err
	}
	if domain == "" {
		fmt.Fprintf(c.out, "%s has no domain\n", o.Name)
	} else {
		fmt.Fprintf(c.out, "%s has the domain %s\n", o.Name, domain)
	}
	return nil
}

func (c command) requireFactor(ctx context.Context, name string, required bool) error {
	o, err := c.hub.identity.Organization(ctx, name)
	if err != nil {
		return fmt.Errorf("cannot find organization %q: %w", name, err)
	}
	if err := c.hub.identity.RequireSecondFactor(ctx, actor(o), name, required); err != nil {
		return err
	}
	if required {
		fmt.Fprintf(c.out, "%s demands a second factor\n", o.Name)
	} else {
		fmt.Fprintf(c.out, "%s demands no second factor\n", o.Name)
	}
	return nil
}

// lock disables or enables an organization.
func (c command) lock(ctx context.Context, name string,
	do func(context.Context, models.Actor, string) error, what string) error {
	o, err := c.hub.identity.Organization(ctx, name)
	if err != nil {
		return fmt.Errorf("cannot find organization %q: %w", name, err)
	}
	if err := do(ctx, actor(o), name); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%s is %s\n", o.Name, what)
	return nil
}

// person finds a user, and changes it as somebody of its own organization would.
func (c command) person(ctx context.Context, email string,
	do func(context.Context, models.Actor, models.UserID) (identity.Person, error),
	what string) error {
	u, err := c.hub.identity.UserByEmail(ctx, email)
	if err != nil {
		return fmt.Errorf("cannot find user %q: %w", email, err)
	}
	if _, err := do(ctx, actor(models.Organization{ID: u.OrganizationID}), u.ID); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%s %s\n", u.Email, what)
	return nil
}

func (c command) listOrganizations(ctx context.Context) error {
	all, err := c.hub.identity.Organizations(ctx)
	if err != nil {
		return err
	}
	return table(c.out, "ID\tNAME\tZONE\tLANGUAGE\tDOMAIN\tSTATE", all,
		func(o models.Organization) string {
			return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s", o.ID, o.Name, o.Zone, o.Language,
				dash(o.Domain), stateOf(o.DisabledAt))
		})
}

func (c command) createUser(ctx context.Context) error {
	n := c.line.User.Create
	o, err := c.hub.identity.Organization(ctx, n.Organization)
	if err != nil {
		return fmt.Errorf("cannot find organization %q: %w", n.Organization, err)
	}
	password, err := readPassword(n.PasswordFile)
	if err != nil {
		return err
	}
	u, generated, err := c.hub.identity.CreateUser(ctx, actor(o), identity.NewUser{
		Organization: o, Email: n.Email, Name: n.Name, Role: models.Role(n.Role),
		Password: password})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "created user %s (%s) in %s\n", u.Email, u.Role, o.Name)
	printPassword(c.out, generated)
	return nil
}

func (c command) listUsers(ctx context.Context) error {
	o, err := c.hub.identity.Organization(ctx, c.line.User.List.Organization)
	if err != nil {
		return fmt.Errorf("cannot find organization %q: %w", c.line.User.List.Organization, err)
	}
	all, err := c.hub.identity.Users(ctx, o.ID)
	if err != nil {
		return err
	}
	return table(c.out, "EMAIL\tNAME\tROLE\tSTATE", all, func(u models.User) string {
		return fmt.Sprintf("%s\t%s\t%s\t%s", u.Email, u.Name, u.Role, stateOf(u.DisabledAt))
	})
}

func (c command) resetPassword(ctx context.Context) error {
	n := c.line.User.ResetPassword
	password, err := readPassword(n.PasswordFile)
	if err != nil {
		return err
	}
	generated, r, err := c.hub.identity.ResetPassword(ctx, actor(models.Organization{}), n.Email,
		password)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "gave %s a new password; ended: sessions %d, API tokens %d, "+
		"download keys and identity tokens %d\n", n.Email, r.Sessions, r.APITokens, r.DownloadKeys)
	printPassword(c.out, generated)
	return nil
}

// readPassword reads the first line of a file; no file is no password.
func readPassword(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("cannot read the password: %w", err)
	}
	defer file.Close()
	line, err := bufio.NewReader(io.LimitReader(file, 4<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("cannot read the password: %w", err)
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", fmt.Errorf("cannot use the password: the first line of %s is empty", path)
	}
	return line, nil
}

func printPassword(out io.Writer, generated string) {
	if generated != "" {
		fmt.Fprintf(out, "password: %s\nIt is not shown again.\n", generated)
	}
}
