package commands

import (
	"log/slog"

	"connecthub/nodeclient/control/conduct"
	"connecthub/nodeclient/control/procedure"
)

// written is a journal whose steps stand in a log, too, for people and for support. A failure is there
// already, with what the machine said.
type written struct {
	conduct.Book
	log *slog.Logger
}

// Add writes the event down in both.
func (w *written) Add(e procedure.Event) (procedure.State, error) {
	s, err := w.Book.Add(e)
	if err != nil || e.What != procedure.Begun && e.What != procedure.Finished {
		return s, err
	}
	task := s.Plan.Tasks[e.Task]
	args := []any{"machine", task.Name, "product", task.Product, "step", task.Steps[e.Step].String()}
	if !e.From.IsZero() {
		args = append(args, "from", e.From)
	}
	if !e.To.IsZero() {
		args = append(args, "to", e.To)
	}
	w.log.Info("step "+e.What, args...)
	return s, nil
}
