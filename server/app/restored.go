package app

import (
	"context"
	"fmt"
	"time"

	"connecthub/hub/fleet"
	"connecthub/models"
)

// check is what nobody but the hub's operator can know after a restore: what happened since the
// backup has not happened for the hub.
const check = `
The hub knows nothing of what happened since the backup. Check, and do again where it is so:
- people who were disabled, or whose role was taken, can do again what they could:
    server user list --organization NAME, server user disable EMAIL
- old passwords count again, and removed passkeys: for whoever changed one because it was known,
    server user reset-password EMAIL, server user reset-second-factor EMAIL
- disabled organizations, verified domains and sign-in providers are as they were:
    server organization list, server organization disable NAME, server oidc show NAME
- recalled and paused releases are offered again:
    server release list, server release recall VERSION
- clusters that were deregistered, and nodes that were removed, replaced or put in quarantine, are
  members again: do it again in the console. What was registered or replaced since must be
  registered or replaced again.
Nodes whose key is newer than the backup come back by themselves. Everybody signs in again; API
tokens, download credentials, invitations and recovery codes must be made anew.
Keep the checkpoints of the audit log from before: "server audit verify" explains them from now on.
`

// restored refuses while a hub serves the default database: it would go on as before. It refuses
// without the hub's signing key too: no node would know the hub again.
func (c command) restored(ctx context.Context) error {
	unlock, err := alone(c.line.Config)
	if err != nil {
		return err
	}
	defer unlock()
	log, err := c.openAudit()
	if err != nil {
		return err
	}
	done, err := fleet.Restore(ctx, c.hub.store, actor(models.Organization{}), time.Now())
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "incarnation %d: ended %d sessions, %d registrations and %d offers; "+
		"removed %d recovery codes, and all API tokens, invitations and half-done sign-ins; "+
		"%d clusters wait for all their nodes\n", done.Incarnation, done.Sessions,
		done.Registrations, done.Offers, done.RecoveryCodes, done.Clusters)
	fmt.Fprint(c.out, check)
	if err := log.SignRestored(ctx); err != nil {
		return fmt.Errorf("the hub is restored, but its audit log could not be signed: %w", err)
	}
	return nil
}
