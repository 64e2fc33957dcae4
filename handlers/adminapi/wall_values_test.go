package adminapi_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// valuesOf are a caller's values of each variable for a choice of own, other and random.
func (c *wallCaller) valuesOf(kind, random map[string]string) map[string]string {
	values := make(map[string]string)
	for variable, thing := range wallVariables() {
		switch kind[thing] {
		case "other":
			values[variable] = c.away[len(c.away)-1].values[variable]
			if variable == "releaseId" {
				values[variable] = random[variable] // no release is another tenant's
			}
		case "random":
			values[variable] = random[variable]
		default:
			values[variable] = c.own[variable]
		}
	}
	return values
}

// things are what a request names.
func things(r wallRequest) []string {
	var all []string
	for _, v := range inText.FindAllStringSubmatch(r.path+r.body, -1) {
		if thing := wallVariables()[v[1]]; !slices.Contains(all, thing) {
			all = append(all, thing)
		}
	}
	return all
}

// combinations are every choice for every thing, what is the caller's own at the end.
func combinations(things []string) []map[string]string {
	all := []map[string]string{{}}
	for _, thing := range things {
		var more []map[string]string
		for _, choice := range []string{"random", "other", "own"} {
			for _, one := range all {
				one = maps.Clone(one)
				one[thing] = choice
				more = append(more, one)
			}
		}
		all = more
	}
	return all
}

func swapped(kind map[string]string, from, to string) map[string]string {
	twin := maps.Clone(kind)
	for thing, choice := range twin {
		if choice == from {
			twin[thing] = to
		}
	}
	return twin
}

func name(kind map[string]string) string {
	var parts []string
	for _, thing := range slices.Sorted(maps.Keys(kind)) {
		parts = append(parts, kind[thing]+" "+thing)
	}
	return strings.Join(parts, ", ")
}

func fill(template string, values map[string]string) string {
	return inText.ReplaceAllStringFunc(template, func(v string) string {
		value := values[strings.Trim(v, "{}")]
		if strings.Contains(template, "?") && strings.Contains(value, " ") {
			return strings.ReplaceAll(value, " ", "+")
		}
		return value
	})
}

// shape is the form of a JSON text without its values.
func shape(text string) string {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	var walk func(v any) any
	walk = func(v any) any {
		switch x := v.(type) {
		case map[string]any:
			for k := range x {
				x[k] = walk(x[k])
			}
			return x
		case []any:
			for i := range x {
				x[i] = walk(x[i])
			}
			return x
		}
		return fmt.Sprintf("%T", v)
	}
	out, err := json.Marshal(walk(v))
	if err != nil {
		return text
	}
	return string(out)
}
