package machines

import (
	"fmt"
	"strings"
)

const around = 2 // unchanged lines that are shown beside a change

type edit struct {
	mark byte // ' ', '-' or '+'
	text string
	line int // in the former text
}

// Diff shows what an import would change: lines that go with a minus, lines that come with a plus,
// two lines around them. It is empty where nothing changes.
func Diff(before, after []byte) string {
	all := edits(split(before), split(after))
	shown := make([]bool, len(all))
	for i, e := range all {
		if e.mark == ' ' {
			continue
		}
		for j := max(0, i-around); j <= min(len(all)-1, i+around); j++ {
			shown[j] = true
		}
	}
	var b strings.Builder
	for i, e := range all {
		if !shown[i] {
			continue
		}
		if i == 0 || !shown[i-1] {
			fmt.Fprintf(&b, "@@ line %d @@\n", e.line)
		}
		fmt.Fprintf(&b, "%c%s\n", e.mark, e.text)
	}
	return b.String()
}

func split(text []byte) []string {
	lines := strings.SplitAfter(string(text), "\n")
	if n := len(lines); lines[n-1] == "" {
		lines = lines[:n-1]
	}
	for i, l := range lines {
		if trimmed, ok := strings.CutSuffix(l, "\n"); ok {
			lines[i] = trimmed
		} else {
			lines[i] += " (no line end)"
		}
	}
	return lines
}

// edits is the shortest way from a to b. Both are short: the inventory has a bound on its lines.
func edits(a, b []string) []edit {
	common := make([][]uint16, len(a)+1)
	for i := range common {
		common[i] = make([]uint16, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var all []edit
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			all = append(all, edit{' ', a[i], i + 1})
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || common[i+1][j] >= common[i][j+1]):
			all = append(all, edit{'-', a[i], i + 1})
			i++
		default:
			all = append(all, edit{'+', b[j], i + 1})
			j++
		}
	}
	return all
}
