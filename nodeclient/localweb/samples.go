package localweb

import (
	"net/http"
	"strings"

	"connecthub/models/inventory"
)

// sampleLayouts are the layouts that are offered as examples of an inventory.
func sampleLayouts() []inventory.DeploymentType {
	return []inventory.DeploymentType{inventory.UCCE2000, inventory.UCCE4000}
}

// sample answers one of the two layouts as a file. There is nothing in it that nobody may know.
func (s *Server) sample(w http.ResponseWriter, r *http.Request) {
	name, isFile := strings.CutSuffix(r.PathValue("layout"), ".conf")
	for _, known := range sampleLayouts() {
		if !isFile || name != string(known) {
			continue
		}
		layout, err := inventory.Sample(known)
		if err != nil {
			break
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Content-Disposition", `attachment; filename="`+inventory.FileName+`"`)
		// best effort: whoever asked has gone when it fails
		_, _ = w.Write(inventory.Format(layout))
		return
	}
	s.message(w, r, http.StatusNotFound, wordsOf(language(r)).NotFound, "")
}
