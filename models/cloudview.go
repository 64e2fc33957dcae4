package models

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// CloudView is what a cluster's control node shows of its contact center in the console, read-only,
// while its administrator lets it. The row is there exactly that long.
type CloudView struct {
	ClusterID      ClusterID `gorm:"primaryKey"`
	OrganizationID OrganizationID
	NodeID         NodeID // who sent it last
	EnabledAt      time.Time
	ReceivedAt     time.Time
	Document       CloudDocument `gorm:"serializer:json"`
}

// CloudDocument is what is shown. It holds no user name, no address of a connection, no key, and no
// text that a machine wrote.
type CloudDocument struct {
	TakenAt        time.Time        `json:"taken_at"` // by the node's clock
	DeploymentName string           `json:"deployment_name,omitempty"`
	DeploymentType string           `json:"deployment_type"`
	Version        int              `json:"version"` // of the inventory; 0: none was imported yet
	Machines       []CloudMachine   `json:"machines,omitempty"`
	Omitted        int              `json:"omitted,omitempty"` // machines that had no room
	Procedures     []CloudProcedure `json:"procedures,omitempty"`
	Connections    []CloudOutcome   `json:"connections,omitempty"` // of the last connection test of each
}

// CloudMachine is one machine of the inventory, without the user as whom it is reached.
type CloudMachine struct {
	Product string `json:"product"`
	Group   string `json:"group"`
	Name    string `json:"name"`
	Side    string `json:"side"`
	Type    string `json:"type,omitempty"`
}

// CloudProcedure is one procedure, the latest first.
type CloudProcedure struct {
	Kind     string         `json:"kind"`
	Status   string         `json:"status"`
	BeganAt  time.Time      `json:"began_at"`
	EndedAt  time.Time      `json:"ended_at,omitzero"`
	Machines []CloudOutcome `json:"machines,omitempty"`
}

// CloudOutcome is how a procedure or a connection test stands for one machine. Code says why.
type CloudOutcome struct {
	Name   string    `json:"name"`
	Status string    `json:"status"`
	Code   string    `json:"code,omitempty"`
	From   string    `json:"from,omitempty"` // versions
	To     string    `json:"to,omitempty"`
	At     time.Time `json:"at,omitzero"`
}

// The limits of a document.
const (
	MaxCloudMachines   = 500
	MaxCloudProcedures = 10
	maxCloudName       = 253
	maxCloudWord       = 64
	maxDeploymentName  = 128
)

// Valid says whether a document is of the expected form.
func (d CloudDocument) Valid() bool {
	if len(d.Machines) > MaxCloudMachines || len(d.Procedures) > MaxCloudProcedures ||
		!outcomes(d.Connections) || d.Omitted < 0 || d.Version < 0 ||
		!cloudText(d.DeploymentName, maxDeploymentName) || !cloudText(d.DeploymentType, maxCloudWord) {
		return false
	}
	return !slices.ContainsFunc(d.Machines, func(m CloudMachine) bool {
		return m.Name == "" || !cloudText(m.Name, maxCloudName) || !words(m.Product, m.Group, m.Side, m.Type)
	}) && !slices.ContainsFunc(d.Procedures, func(p CloudProcedure) bool {
		return !words(p.Kind, p.Status) || !outcomes(p.Machines)
	})
}

func outcomes(all []CloudOutcome) bool {
	return len(all) <= MaxCloudMachines && !slices.ContainsFunc(all, func(o CloudOutcome) bool {
		return o.Name == "" || !cloudText(o.Name, maxCloudName) || !words(o.Status, o.Code, o.From, o.To)
	})
}

func words(all ...string) bool {
	return !slices.ContainsFunc(all, func(w string) bool { return !cloudText(w, maxCloudWord) })
}

func cloudText(s string, most int) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= most &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
