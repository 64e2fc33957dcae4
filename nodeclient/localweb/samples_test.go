package localweb_test

import (
	"net/http"
	"strings"
	"testing"

	"connecthub/models/inventory"
)

func TestThePageOffersBothLayoutsAsAnImportTakesThem(t *testing.T) {
	t.Parallel()
	n := start(t)
	b := n.inside("ja")
	b.wants(b.get("/"), http.StatusOK, "inventory.conf のサンプル:",
		"/inventory/samples/UCCE-2000-Agents.conf", "/inventory/samples/UCCE-4000-Agents.conf")
	for layout, machines := range map[string]int{"UCCE-2000-Agents": 18, "UCCE-4000-Agents": 34} {
		a := b.get("/inventory/samples/" + layout + ".conf")
		read, found := inventory.Parse([]byte(a.text))
		if a.status != http.StatusOK || len(found) > 0 || len(read.Machines()) != machines ||
			!strings.Contains(a.header.Get("Content-Disposition"), `"inventory.conf"`) {
			t.Errorf("%s: %d %v %d machines", layout, a.status, found, len(read.Machines()))
		}
	}
	for _, none := range []string{"UCCE-2000-Agents", "UCCE-12000-Agents.conf", "%2e%2e%2fconfig.json.conf"} {
		if a := b.get("/inventory/samples/" + none); a.status != http.StatusNotFound {
			t.Errorf("%s: %d", none, a.status)
		}
	}
}
