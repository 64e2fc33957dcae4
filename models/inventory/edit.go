package inventory

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Replace answers the text with another list of groups for one VOS product: what onboarding does.
// Every other line, with its comments and its order, stays as somebody wrote it. It refuses a text
// that Parse refuses, and groups that would make it so.
func Replace(text []byte, product Product, groups []Group) ([]byte, error) {
	if !product.VOS() {
		return nil, fmt.Errorf("cannot onboard %s: it is not a VOS product", product)
	}
	if _, found := Parse(text); len(found) > 0 {
		return nil, fmt.Errorf("cannot change the inventory: %w", found)
	}
	lines := slices.Collect(bytes.Lines(text))
	from, to := sectionLines(lines, product)
	var fresh bytes.Buffer
	if len(groups) == 0 {
		fmt.Fprintf(&fresh, "    %s: {}\n", product)
	} else {
		section(&fresh, Section{Product: product, Groups: groups})
	}
	changed := slices.Concat(bytes.Join(lines[:from], nil), fresh.Bytes(),
		bytes.Join(lines[to:], nil))
	if _, found := Parse(changed); len(found) > 0 {
		return nil, fmt.Errorf("cannot add %s to the inventory: %w", product, found)
	}
	return changed, nil
}

// sectionLines are the lines of a product, or an empty range at the head of the VOS section.
func sectionLines(lines [][]byte, product Product) (from, to int) {
	inside, indent, first := false, 0, 0
	for i, line := range lines {
		key, depth := keyOf(line)
		switch {
		case key == "VOS" && !inside:
			inside, first = true, i+1
		case inside && key != "" && indent == 0:
			indent = depth
			fallthrough
		case inside && depth == indent && key != "":
			if key == string(product) {
				return i, sectionEnd(lines, i, depth)
			}
		case inside && key != "" && depth < indent:
			return first, first
		}
	}
	return first, first
}

// sectionEnd leaves the remarks above what follows to what follows.
func sectionEnd(lines [][]byte, start, indent int) int {
	end := start + 1
	for i := start + 1; i < len(lines); i++ {
		line := bytes.TrimLeft(lines[i], " ")
		depth := len(lines[i]) - len(line)
		text := strings.TrimSpace(string(line))
		switch {
		case text == "" || strings.HasPrefix(text, "#") && depth <= indent:
		case depth > indent:
			end = i + 1
		default:
			return end
		}
	}
	return end
}

// keyOf is the key that begins a line, and how far it is indented.
func keyOf(line []byte) (string, int) {
	text := bytes.TrimLeft(line, " ")
	key, _, ok := strings.Cut(string(text), ":")
	if !ok || strings.HasPrefix(key, "#") || strings.HasPrefix(key, "-") {
		return "", len(line) - len(text)
	}
	return strings.Trim(strings.TrimSpace(key), `"'`), len(line) - len(text)
}
