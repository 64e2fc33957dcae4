package audit

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"
)

// byteOrderMark lets spreadsheet programs read UTF-8 as UTF-8.
const byteOrderMark = "\ufeff"

// CSV writes entries as a table whose first columns are named as in the log that administrators
// know. No cell can begin a formula.
type CSV struct {
	w        io.Writer
	table    *csv.Writer
	language string
	begun    bool
}

// NewCSV writes what actions are called in the language.
func NewCSV(w io.Writer, language string) *CSV {
	table := csv.NewWriter(w)
	table.UseCRLF = true
	return &CSV{w: w, table: table, language: language}
}

func columns() []string {
	return []string{"timestamp", "action_text", "tracking_id", "event_category", "actor_id",
		"actor_name", "actor_email", "actor_org_id", "actor_org_name", "actor_user_agent",
		"actor_ip", "target_type", "target_id", "target_name", "target_org_id", "actor_type",
		"actor_role", "action", "cluster_id", "before", "after", "record_id", "sequence", "hash"}
}

// Write adds entries, the head of the table before the first, and hands all of it on.
func (c *CSV) Write(entries []Entry) error {
	if !c.begun {
		c.begun = true
		if _, err := io.WriteString(c.w, byteOrderMark); err != nil {
			return err
		}
		if err := c.table.Write(columns()); err != nil {
			return err
		}
	}
	for _, e := range entries {
		if err := c.table.Write(c.row(e)); err != nil {
			return err
		}
	}
	c.table.Flush()
	return c.table.Error()
}

func (c *CSV) row(e Entry) []string {
	cells := []string{Timestamp(e.At), Text(e.Action, c.language), e.TrackingID,
		string(e.Category), e.ActorID, e.ActorName, e.ActorEmail,
		string(e.AuditRecord.ActorOrganization), e.ActorOrganization, e.UserAgent, e.Address,
		e.TargetKind, e.TargetID, e.TargetName, string(e.OrganizationID), e.ActorKind,
		string(e.ActorRole), e.Action, string(e.ClusterID), e.Before, e.After, string(e.ID),
		strconv.FormatInt(e.Sequence, 10), e.Hash}
	for i := range cells {
		cells[i] = harmless(cells[i])
	}
	return cells
}

// Timestamp is an instant in UTC with milliseconds.
func Timestamp(t time.Time) string { return t.UTC().Format(timeForm) }

// harmless puts an apostrophe before what a spreadsheet program could take for a formula, in the
// wide forms of Japanese input too. A zero byte and a lone return have no place in a cell.
func harmless(cell string) string {
	cell = strings.ReplaceAll(cell, "\x00", "")
	first := strings.TrimLeft(cell, " \u3000")
	if first == "" {
		return cell
	}
	if strings.ContainsAny(cell[:1], "\t\r\n") ||
		strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(first)[0]) {
		return "'" + cell
	}
	return cell
}
