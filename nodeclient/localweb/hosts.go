package localweb

import (
	"net"
	"net/netip"
	"net/url"
	"strings"

	"connecthub/models"
)

// ownHost says whether a Host header asks for this node: by its name, as localhost, or by the very
// address that the connection came in on, each with any port. Every address of the node is its own
// in that way, whatever network it belongs to; a name that somebody else's zone points here is not
// (DNS rebinding), and neither is an address that is another machine's.
func ownHost(asked string, name models.FQDN, local net.Addr) bool {
	host := strings.TrimSuffix(strings.ToLower((&url.URL{Host: asked}).Hostname()), ".")
	if host == string(name) || host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	if err != nil || local == nil {
		return false
	}
	at, err := netip.ParseAddrPort(local.String())
	return err == nil && at.Addr().Unmap().WithZone("") == address.Unmap().WithZone("")
}
