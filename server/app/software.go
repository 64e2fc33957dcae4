package app

import (
	"context"
	"fmt"
	"os"
	"time"

	"connecthub/hub/software"
	"connecthub/models"
)

// softwareCommand is one of the commands about downloads; done says whether there is such a one.
func (c command) softwareCommand(ctx context.Context, words string) (done bool, err error) {
	switch words {
	case "software add <file>":
		return true, c.addSoftware(ctx)
	case "software list":
		return true, c.listSoftware(ctx)
	case "software withdraw <path>":
		n := c.line.Software.Withdraw
		f, err := c.hub.software.Withdraw(ctx, actor(models.Organization{}), n.Repository, n.Path)
		if err == nil {
			fmt.Fprintf(c.out, "%s/%s is withdrawn\n", f.Repository, f.Path)
		}
		return true, err
	case "software publish-eula <version> <file>":
		return true, c.publishEULA(ctx)
	case "entitlement add <organization>":
		return true, c.addEntitlement(ctx)
	case "entitlement list <organization>":
		return true, c.listEntitlements(ctx)
	case "entitlement end <id>":
		id := models.EntitlementID(c.line.Entitlement.End.ID)
		e, err := c.hub.software.EndEntitlement(ctx, actor(models.Organization{}), id)
		if err == nil {
			fmt.Fprintf(c.out, "entitlement %s (%s) is ended\n", e.Reference, e.ID)
		}
		return true, err
	}
	return false, nil
}

func (c command) addSoftware(ctx context.Context) error {
	n := c.line.Software.Add
	file, err := os.Open(n.File)
	if err != nil {
		return fmt.Errorf("cannot open the file: %w", err)
	}
	defer file.Close()
	f, err := c.hub.software.Add(ctx, actor(models.Organization{}), software.NewFile{
		Repository: n.Repository, Path: n.Path, Product: n.Product, Version: n.Version,
		Notes: n.Notes, Restricted: n.Restricted}, file)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%s/%s %s %s, %s, %d bytes, sha256:%s\n", f.Repository, f.Path, f.Product,
		f.Version, export(f.Restricted), f.Size, f.SHA256)
	return nil
}

func export(restricted bool) string {
	if restricted {
		return "restricted"
	}
	return "unrestricted"
}

func (c command) listSoftware(ctx context.Context) error {
	all, err := c.hub.software.List(ctx, actor(models.Organization{}),
		c.line.Software.List.Repository)
	if err != nil {
		return err
	}
	return table(c.out, "REPOSITORY\tPATH\tPRODUCT\tVERSION\tEXPORT\tSIZE", all,
		func(f models.SoftwareFile) string {
			return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%d", f.Repository, f.Path, f.Product, f.Version,
				export(f.Restricted), f.Size)
		})
}

func (c command) publishEULA(ctx context.Context) error {
	n := c.line.Software.EULA
	file, err := os.Open(n.File)
	if err != nil {
		return fmt.Errorf("cannot open the agreement: %w", err)
	}
	defer file.Close()
	e, err := c.hub.software.PublishEULA(ctx, actor(models.Organization{}), n.EULAVersion, file)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "the agreement of version %s is asked for from now on\n", e.Version)
	return nil
}

func (c command) addEntitlement(ctx context.Context) error {
	n := c.line.Entitlement.Add
	o, err := c.organization(ctx, n.Organization)
	if err != nil {
		return err
	}
	entitlement := software.NewEntitlement{Organization: o.ID, Reference: n.Reference,
		Kind: models.EntitlementKind(n.Kind), Products: n.Product, ExportCleared: n.ExportCleared}
	if n.User != "" {
		u, err := c.hub.identity.UserByEmail(ctx, n.User)
		if err != nil || u.OrganizationID != o.ID {
			return fmt.Errorf("cannot find user %q in %s", n.User, o.Name)
		}
		entitlement.User = u.ID
	}
	if entitlement.From, err = day(n.From); err != nil {
		return err
	}
	if entitlement.Until, err = day(n.Until); err != nil {
		return err
	}
	e, err := c.hub.software.Entitle(ctx, actor(models.Organization{}), entitlement)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "entitled %s by %s (%s)\n", o.Name, e.Reference, e.ID)
	return nil
}

func day(text string) (time.Time, error) {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}, models.Invalid("invalid_date", "date")
	}
	return at, nil
}

func (c command) listEntitlements(ctx context.Context) error {
	o, err := c.organization(ctx, c.line.Entitlement.List.Organization)
	if err != nil {
		return err
	}
	all, err := c.hub.software.Entitlements(ctx, actor(models.Organization{}), o.ID)
	if err != nil {
		return err
	}
	return table(c.out, "ID\tREFERENCE\tKIND\tPRODUCTS\tEXPORT\tFROM\tUNTIL\tUSER", all,
		func(e models.Entitlement) string {
			return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", e.ID, e.Reference, e.Kind,
				e.Products, export(e.ExportCleared), e.ValidFrom.Format(time.DateOnly),
				e.ValidUntil.AddDate(0, 0, -1).Format(time.DateOnly), dash(string(e.UserID)))
		})
}
