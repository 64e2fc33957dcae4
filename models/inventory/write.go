package inventory

import (
	"bytes"
	"fmt"
	"strings"
)

// Format writes an inventory in the one form of an export: two spaces, double quotes, LF, every
// product named, {} where it has no machines.
func Format(i Inventory) []byte {
	var b bytes.Buffer
	b.WriteString("---\ninventory:\n")
	sections(&b, "VOS", i.VOS, VOSProducts())
	sections(&b, "Windows", i.Windows, WindowsProducts())
	if i.DeploymentName != "" {
		fmt.Fprintf(&b, "  deploymentName: %s\n", quote(i.DeploymentName))
	}
	fmt.Fprintf(&b, "  deploymentType: %s\n", quote(string(i.DeploymentType)))
	return b.Bytes()
}

func sections(b *bytes.Buffer, name string, all []Section, products []Product) {
	fmt.Fprintf(b, "  %s:\n", name)
	for _, p := range products {
		written := false
		for _, s := range all {
			if s.Product == p && len(s.Groups) > 0 {
				section(b, s)
				written = true
			}
		}
		if !written {
			fmt.Fprintf(b, "    %s: {}\n", p)
		}
	}
}

func section(b *bytes.Buffer, s Section) {
	fmt.Fprintf(b, "    %s:\n", s.Product)
	for _, g := range s.Groups {
		fmt.Fprintf(b, "      %s:\n        hosts:\n", g.Name)
		for _, h := range g.Hosts {
			fmt.Fprintf(b, "        - name: %s\n          side: %s\n", quote(h.Name),
				quote(string(h.Side)))
			if s.Product.VOS() {
				fmt.Fprintf(b, "          type: %s\n", quote(string(h.Type)))
			} else {
				fmt.Fprintf(b, "          user: %s\n", quote(h.User))
			}
		}
	}
}

// quote writes a double-quoted scalar. What is written has no control characters.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// Empty is what a new export carries before anything is onboarded.
func Empty() Inventory { return Inventory{DeploymentType: UCCE2000} }
