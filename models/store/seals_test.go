package store_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"connecthub/models/store"
)

func TestEveryColumnOfSealedTextsIsKnownToTheChangeOfKeys(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			known := store.SealedColumns()
			for table, of := range columns(t, d.open(t)) {
				for column := range of {
					name := table + "." + column
					if strings.Contains(column, "seal") != slices.Contains(known, name) {
						t.Errorf("%s: known as sealed is %v", name, slices.Contains(known, name))
					}
				}
			}
		})
	}
}

func TestASealedTextIsReplacedOnlyAsItWasRead(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.open(t)
			hub := func(fn func(h *store.Hub) error) error {
				return s.Update(t.Context(), func(tx *store.Tx) error { return fn(tx.Hub()) })
			}
			mark := func(want string) {
				t.Helper()
				if err := hub(func(h *store.Hub) error {
					got, err := h.SealMark()
					if got != want {
						t.Errorf("%q, want %q", got, want)
					}
					return err
				}); err != nil && !errors.Is(err, store.ErrNotFound) {
					t.Fatal(err)
				}
			}
			mark("")
			for _, text := range []string{"first", "second"} {
				err := hub(func(h *store.Hub) error { return h.SetSealMark(text) })
				if (err == nil) != (text == "first") || err != nil && !errors.Is(err, store.ErrUnchanged) {
					t.Fatal(text, err)
				}
			}
			mark("first")
			var all []store.SealedValue
			if err := hub(func(h *store.Hub) (err error) { all, err = h.SealedValues(); return err }); err != nil {
				t.Fatal(err)
			}
			if len(all) != 1 || all[0].Text != "first" || all[0].Table != "seal_marks" {
				t.Fatal(all)
			}
			if err := hub(func(h *store.Hub) error { return h.Reseal(all[0], "anew") }); err != nil {
				t.Fatal(err)
			}
			mark("anew")
			if err := hub(func(h *store.Hub) error { return h.Reseal(all[0], "late") }); !errors.Is(err, store.ErrUnchanged) {
				t.Error(err)
			}
			foreign := store.SealedValue{Table: "users", Column: "password", ID: all[0].ID}
			if err := hub(func(h *store.Hub) error { return h.Reseal(foreign, "x") }); err == nil {
				t.Error("another column was written")
			}
		})
	}
}
