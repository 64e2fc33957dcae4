package console

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ErrQuit says that a person left a list with q.
var ErrQuit = errors.New("nothing was chosen; nothing was changed")

// All is what a flag gives to take every option.
const All = "all"

// Option is one line of a list. Value is what a script gives for it.
type Option struct{ Value, Text string }

// Rule says how many may be chosen.
type Rule int

// The rules.
const (
	One  Rule = iota // exactly one
	Many             // one or more; "a" takes all
)

// Choose answers the chosen options' places in the list, in the list's order. Given are the values of
// flags; where there are none, a numbered list is shown and the numbers are asked for: "1", "1,3",
// "2-4", "a" for all, "q" to quit. A wrong answer is asked again.
func (s *Session) Choose(prompt, flag string, given []string, options []Option, rule Rule) ([]int,
	error) {
	if len(options) == 0 {
		return nil, Refuse("nothing_to_choose", "there is nothing to choose from for: %s",
			"選択できる項目がありません: %s", prompt)
	}
	if len(given) > 0 {
		return named(flag, given, options, rule)
	}
	if !s.Terminal() {
		return nil, Refuse("flag_needed", "give --%s", "--%s を指定してください", flag)
	}
	for i, o := range options {
		_, _ = fmt.Fprintf(s.Err, "%3d: %s\n", i+1, Printable(o.Text))
	}
	if rule == Many {
		_, _ = fmt.Fprintln(s.Err, "  a: all")
	}
	_, _ = fmt.Fprintln(s.Err, "  q: quit")
	for {
		_, _ = fmt.Fprint(s.Err, prompt+": ")
		typed, err := s.line()
		if err != nil {
			return nil, err
		}
		if typed == "q" {
			return nil, ErrQuit
		}
		if chosen, ok := numbers(typed, len(options), rule); ok {
			return chosen, nil
		}
		_, _ = fmt.Fprintf(s.Err, "Invalid selection. Give %s.\n", hint(len(options), rule))
	}
}

func hint(n int, rule Rule) string {
	if rule == One {
		return fmt.Sprintf("one number from 1 to %d, or q", n)
	}
	return fmt.Sprintf("numbers from 1 to %d (1,3 or 2-4), a or q", n)
}

func named(flag string, given []string, options []Option, rule Rule) ([]int, error) {
	var chosen []int
	for _, value := range given {
		if value == All && rule == Many {
			return every(len(options)), nil
		}
		i := slices.IndexFunc(options, func(o Option) bool { return o.Value == value })
		if i < 0 {
			return nil, Refuse("unknown_choice", "--%s %s: there is no such choice",
				"--%s %s: その選択肢はありません", flag, Printable(value))
		}
		chosen = append(chosen, i)
	}
	slices.Sort(chosen)
	chosen = slices.Compact(chosen)
	if rule == One && len(chosen) > 1 {
		return nil, Refuse("one_choice_only", "--%s: give one only", "--%s: 1 つだけ指定してください", flag)
	}
	return chosen, nil
}

func every(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func numbers(typed string, n int, rule Rule) ([]int, bool) {
	if typed == "a" && rule == Many {
		return every(n), true
	}
	var chosen []int
	for part := range strings.SplitSeq(typed, ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(part), "-")
		from, err := strconv.Atoi(strings.TrimSpace(first))
		to := from
		if isRange && err == nil {
			to, err = strconv.Atoi(strings.TrimSpace(last))
		}
		if err != nil || from < 1 || to > n || from > to {
			return nil, false
		}
		for i := from; i <= to; i++ {
			chosen = append(chosen, i-1)
		}
	}
	slices.Sort(chosen)
	chosen = slices.Compact(chosen)
	return chosen, len(chosen) == 1 || rule == Many
}
