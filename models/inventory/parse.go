package inventory

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"connecthub/models"

	"github.com/goccy/go-yaml/ast"
)

// Parse reads a file and answers with every broken rule at once, in the order of the lines. What it
// cannot read as YAML it judges no further.
func Parse(text []byte) (Inventory, Problems) {
	if found := checkText(text); len(found) > 0 {
		return Inventory{}, limited(found)
	}
	root, found := parse(text)
	if len(found) > 0 {
		return Inventory{}, limited(found)
	}
	r := &reader{seen: map[Product]map[string]bool{}}
	r.root(root)
	r.found.sort()
	return r.read, limited(r.found)
}

func limited(found Problems) Problems {
	if len(found) <= maxProblems {
		return found
	}
	found = found[:maxProblems]
	last := found[maxProblems-1]
	return append(found, Problem{Line: last.Line, Column: last.Column, Rule: RuleTooManyErrors,
		Subject: strconv.Itoa(maxProblems)})
}

type reader struct {
	read  Inventory
	found Problems
	seen  map[Product]map[string]bool
}

// pair is a key with its value.
type pair struct {
	key   string
	node  ast.MapKeyNode
	value ast.Node
}

func (r *reader) say(n ast.Node, rule Rule, subject string) {
	r.found = append(r.found, at(n, rule, subject))
}

// pairs answers what a mapping holds; of a key that stands there twice, the first.
func (r *reader) pairs(m *ast.MappingNode) []pair {
	var all []pair
	seen := map[string]bool{}
	for _, v := range m.Values {
		key := v.Key.GetToken().Value
		if seen[key] {
			r.say(v.Key, RuleTwice, key)
			continue
		}
		seen[key] = true
		all = append(all, pair{key: key, node: v.Key, value: v.Value})
	}
	return all
}

func (r *reader) mapping(p pair, what string) []pair {
	if blank(p.value) {
		r.say(p.node, RuleBlank, p.key)
		return nil
	}
	m, ok := mapping(p.value)
	if !ok {
		r.say(p.value, RuleKind, what)
		return nil
	}
	return r.pairs(m)
}

func (r *reader) text(p pair) (string, bool) {
	if blank(p.value) {
		r.say(p.node, RuleBlank, p.key)
		return "", false
	}
	text, ok := scalar(p.value)
	switch {
	case !ok:
		r.say(p.value, RuleKind, `"…"`)
	case strings.TrimSpace(text) == "":
		r.say(p.value, RuleBlank, p.key)
	default:
		return text, true
	}
	return "", false
}

func (r *reader) root(root *ast.MappingNode) {
	found := false
	for _, p := range r.pairs(root) {
		if p.key != "inventory" {
			r.say(p.node, RuleUnknownKey, p.key)
			continue
		}
		found = true
		r.inventory(p)
	}
	if !found {
		r.say(root, RuleMissingKey, "inventory")
	}
}

func (r *reader) inventory(p pair) {
	missing := map[string]bool{"VOS": true, "Windows": true, "deploymentType": true}
	for _, p := range r.mapping(p, "VOS:, Windows:, deploymentName:, deploymentType:") {
		delete(missing, p.key)
		switch p.key {
		case "VOS":
			r.read.VOS = r.sections(p, VOSProducts())
		case "Windows":
			r.read.Windows = r.sections(p, WindowsProducts())
		case "deploymentName":
			r.read.DeploymentName = r.deploymentName(p)
		case "deploymentType":
			r.read.DeploymentType = r.deploymentType(p)
		default:
			r.say(p.node, RuleUnknownKey, p.key)
		}
	}
	if blank(p.value) {
		return
	}
	for _, key := range []string{"VOS", "Windows", "deploymentType"} {
		if missing[key] {
			r.say(p.node, RuleMissingKey, key)
		}
	}
}

func (r *reader) deploymentName(p pair) string {
	name, ok := r.text(p)
	if ok && !printable(name, 128) {
		r.say(p.value, RuleName, "")
	}
	return name
}

func printable(s string, most int) bool {
	return utf8.RuneCountInString(s) <= most && !strings.ContainsFunc(s, func(c rune) bool {
		return !unicode.IsPrint(c)
	})
}

// unsupported are the sizes that exist and that orchestration does not do.
var unsupported = regexp.MustCompile(`(?i)^(HCS-SCC.*|[A-Z-]*(12000|24000|26000|36000)[A-Z-]*)$`)

// JudgeDeploymentType answers the deployment type that a text is, or the rule that it breaks with
// what to say of it.
func JudgeDeploymentType(name string) (DeploymentType, Rule, string) {
	for _, t := range DeploymentTypes() {
		if name == string(t) {
			return t, "", ""
		}
		if strings.EqualFold(name, string(t)) {
			return "", RuleDeployCase, string(t)
		}
	}
	if unsupported.MatchString(name) {
		return "", RuleDeployUnfit, name
	}
	return "", RuleDeployment, name
}

func (r *reader) deploymentType(p pair) DeploymentType {
	name, ok := r.text(p)
	if !ok {
		return ""
	}
	t, rule, subject := JudgeDeploymentType(name)
	if rule != "" {
		r.say(p.value, rule, subject)
	}
	return t
}

func (r *reader) sections(p pair, products []Product) []Section {
	if blank(p.value) {
		r.say(p.node, RuleBlank, p.key)
		return nil
	}
	var all []Section
	for _, s := range r.mapping(p, string(products[0])+": {}") {
		product, ok := r.product(s, products)
		if !ok {
			continue
		}
		all = append(all, Section{Product: product, Groups: r.groups(s, product)})
	}
	return all
}

func (r *reader) product(p pair, products []Product) (Product, bool) {
	if slices.Contains(products, Product(p.key)) {
		return Product(p.key), true
	}
	for _, known := range products {
		if strings.EqualFold(p.key, string(known)) {
			r.say(p.node, RuleProductCase, string(known))
			return "", false
		}
	}
	for _, known := range slices.Concat(VOSProducts(), WindowsProducts()) {
		if strings.EqualFold(p.key, string(known)) {
			r.say(p.node, RuleProductPlace, p.key)
			return "", false
		}
	}
	r.say(p.node, RuleProduct, p.key)
	return "", false
}

func (r *reader) groups(p pair, product Product) []Group {
	var all []Group
	for _, g := range r.mapping(p, "{}") {
		r.groupName(g, product)
		group := Group{Name: g.key}
		hosts := false
		for _, f := range r.mapping(g, "hosts:") {
			if f.key != "hosts" {
				r.say(f.node, RuleUnknownKey, f.key)
				continue
			}
			hosts = true
			group.Hosts = r.hosts(f, g, product)
		}
		if !hosts && !blank(g.value) {
			r.say(g.node, RuleNoHosts, g.key)
		}
		all = append(all, group)
	}
	return all
}

var (
	clusterNumber = regexp.MustCompile(`^[1-9][0-9]{0,3}$`)
	pairName      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)
)

func (r *reader) groupName(g pair, product Product) {
	if !product.VOS() {
		if !pairName.MatchString(g.key) {
			r.say(g.node, RuleGroupName, g.key)
		}
		return
	}
	number, ok := strings.CutPrefix(g.key, string(product)+"-Cluster-")
	if !ok || !clusterNumber.MatchString(number) {
		r.say(g.node, RuleClusterName, string(product))
	}
}

func (r *reader) hosts(f, g pair, product Product) []Host {
	list, ok := f.value.(*ast.SequenceNode)
	switch {
	case blank(f.value) || ok && len(list.Values) == 0:
		r.say(g.node, RuleNoHosts, g.key)
		return nil
	case !ok:
		r.say(f.value, RuleKind, "- name: …")
		return nil
	}
	var all []Host
	whole := true
	for _, n := range list.Values {
		m, ok := mapping(n)
		if !ok {
			r.say(n, RuleKind, "name:, side:")
			whole = false
			continue
		}
		before := len(r.found)
		host := r.host(m, product)
		whole = whole && len(r.found) == before
		all = append(all, host)
	}
	if whole {
		r.together(g, product, all)
	}
	return all
}

func (r *reader) host(m *ast.MappingNode, product Product) Host {
	start := at(m, RuleMissingKey, "")
	last := "user"
	if product.VOS() {
		last = "type"
	}
	missing := map[string]bool{"name": true, "side": true, last: true}
	if len(m.Values) > 0 {
		start = at(m.Values[0].Key, RuleMissingKey, "")
	}
	host := Host{Line: start.Line}
	for _, p := range r.pairs(m) {
		if !missing[p.key] {
			r.say(p.node, RuleUnknownKey, p.key)
			continue
		}
		delete(missing, p.key)
		value, ok := r.text(p)
		if !ok {
			continue
		}
		switch p.key {
		case "name":
			host.Name = r.hostName(p, value, product)
		case "side":
			host.Side = r.side(p, value)
		case "type":
			host.Type = r.nodeType(p, value)
		case "user":
			host.User = r.user(p, value)
		}
	}
	for _, key := range []string{"name", "side", last} {
		if missing[key] {
			start.Subject = key
			r.found = append(r.found, start)
		}
	}
	return host
}

func (r *reader) hostName(p pair, name string, product Product) string {
	if !ValidHost(name) {
		r.say(p.value, RuleHostName, name)
		return name
	}
	if r.seen[product] == nil {
		r.seen[product] = map[string]bool{}
	}
	if r.seen[product][strings.ToLower(name)] {
		r.say(p.value, RuleHostTwice, name)
	}
	r.seen[product][strings.ToLower(name)] = true
	return name
}

// ValidHost says whether the name can be of a machine: an IP address, a host name or a FQDN.
func ValidHost(name string) bool {
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	if strings.Contains(name, ".") {
		_, err := models.ParseFQDN(name)
		return err == nil
	}
	_, err := models.ParseFQDN(name + ".host")
	return err == nil
}

func (r *reader) side(p pair, value string) Side {
	if value != string(SideA) && value != string(SideB) {
		r.say(p.value, RuleSide, value)
	}
	return Side(value)
}

func (r *reader) nodeType(p pair, value string) NodeType {
	if value != string(Publisher) && value != string(Subscriber) {
		r.say(p.value, RuleType, value)
	}
	return NodeType(value)
}

var (
	localUser  = regexp.MustCompile(`^[^\s@\\/"\[\]:;|=,+*?<>]{1,64}$`)
	domainUser = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$`)
)

func (r *reader) user(p pair, value string) string {
	name, domain, ok := strings.Cut(value, "@")
	if !ok {
		domain, name, ok = strings.Cut(value, `\`)
		if !ok {
			name, domain = value, "local"
		}
	}
	if !localUser.MatchString(name) || !domainUser.MatchString(domain) {
		r.say(p.value, RuleUser, value)
	}
	return value
}

// together judges what no host shows alone.
func (r *reader) together(g pair, product Product, hosts []Host) {
	if product.VOS() {
		publishers := 0
		for _, h := range hosts {
			if h.Type == Publisher {
				publishers++
			}
		}
		switch {
		case product == VVB && (len(hosts) != 1 || publishers != 1):
			r.say(g.node, RuleSingleNode, g.key)
		case publishers != 1:
			r.say(g.node, RulePublisher, g.key)
		}
		return
	}
	if product.Duplex() && len(hosts) == 2 && hosts[0].Side == hosts[1].Side {
		r.say(g.node, RuleSameSide, g.key)
	}
}
