package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
)

var benchLine = regexp.MustCompile(
	`(?m)^(Benchmark[\w/]+?)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op(?:\s+\d+ B/op\s+(\d+) allocs/op)?`)

// measurePure runs the packages' own benchmarks.
func measurePure(ctx context.Context) ([]figure, error) {
	out, err := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", ".", "-benchmem",
		"./scheduler/window", "./scheduler/rollout").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("cannot run the benchmarks: %w\n%s", err, out)
	}
	bounds := map[string]float64{"BenchmarkNext/weekly": 1000, "BenchmarkDecideNothingToDo": 5000,
		"BenchmarkDecideWindowClosed": 5000}
	names := map[string]string{"BenchmarkNext/weekly": "`window.Next`",
		"BenchmarkDecideNothingToDo":  "`rollout.Decide`, nothing to do",
		"BenchmarkDecideWindowClosed": "`rollout.Decide`, window closed"}
	var figures []figure
	for _, m := range benchLine.FindAllStringSubmatch(string(out), -1) {
		bound, ok := bounds[m[1]]
		if !ok {
			continue
		}
		delete(bounds, m[1])
		ns, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return nil, err
		}
		figures = append(figures, figure{name: names[m[1]],
			value: fmt.Sprintf("%.0f ns, %s allocations", ns, m[3]),
			bound: fmt.Sprintf("< %.0f µs, none", bound/1000), ok: ns < bound && m[3] == "0"})
	}
	if len(bounds) > 0 {
		return nil, fmt.Errorf("these benchmarks did not run: %v\n%s", bounds, out)
	}
	return figures, nil
}
