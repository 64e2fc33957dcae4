package app

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"connecthub/hub/seal"
	"connecthub/models/store"
)

func printSealKey(out io.Writer) error {
	key, err := seal.NewKey()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, key.Text())
	return nil
}

// sealStatus says where the key is from and how many values each key sealed; it shows no key.
func (c command) sealStatus(ctx context.Context) error {
	ring, err := findSealKeys(c.line.Config)
	if err != nil {
		return err
	}
	var all []store.SealedValue
	err = c.hub.store.View(ctx, func(tx *store.Tx) (err error) {
		all, err = tx.Hub().SealedValues()
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot count the sealed values: %w", err)
	}
	count := make(map[seal.KeyID]int)
	for _, v := range all {
		id, err := seal.KeyOf(v.Text)
		if err != nil {
			return fmt.Errorf("%s.%s of %s: %w", v.Table, v.Column, v.ID, err)
		}
		count[id]++
	}
	fmt.Fprintf(c.out, "seal key from %s\n", ring.from)
	return table(c.out, "KEY\tUSE\tVALUES", ring.keys, func(k seal.Key) string {
		use := "opens"
		if k.ID() == c.hub.seal.Current() {
			use = "seals"
		}
		return fmt.Sprintf("%s\t%s\t%d", k.ID(), use, count[k.ID()])
	})
}

// sealRotate refuses while a hub serves the default database: it would go on with the old key.
func (c command) sealRotate(ctx context.Context) error {
	unlock, err := alone(c.line.Config)
	if err != nil {
		return err
	}
	defer unlock()
	done, err := rotate(ctx, c.line.Config, c.hub.store)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "key %s seals; %d values and %d files were sealed anew\n", done.key,
		done.values, done.files)
	if len(done.obsolete) > 0 {
		names := make([]string, len(done.obsolete))
		for i, id := range done.obsolete {
			names[i] = string(id)
		}
		fmt.Fprintf(c.out, "Once every replica has been started again, these may go from the key "+
			"file: %s\n", strings.Join(slices.Sorted(slices.Values(names)), ", "))
	}
	return nil
}
