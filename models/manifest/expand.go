package manifest

import (
	"regexp"
	"strings"
)

// MarkPrefix begins the variables by which a supervisor knows its own processes again; a manifest
// may not set them.
const MarkPrefix = "CONNECTHUB_"

// The limits of the paths in a bundle.
const (
	MaxPath  = 240
	MaxDepth = 32
)

var configPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// Expand replaces each ${KIND} and ${KIND:name}. The list is closed: anything else is refused.
func Expand(text string, value func(kind, name string) (string, error)) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		inner, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", Refuse("a ${ without its }")
		}
		kind, name, named := strings.Cut(inner, ":")
		switch kind {
		case "NODE_FQDN", "DATA_DIR", "SLOT_DIR":
			if named {
				return "", Refuse("${%s} takes no name", kind)
			}
		case "PORT", "CONFIG":
			if !configPattern.MatchString(name) {
				return "", Refuse("${%s:…} needs a name", kind)
			}
		default:
			return "", Refuse("${%.40s} is not one of the values a node has", inner)
		}
		v, err := value(kind, name)
		if err != nil {
			return "", err
		}
		out.WriteString(v)
		text = after
	}
}
