package oidc_test

import (
	"testing"

	"connecthub/hub/oidc"
)

func TestOneOfSixteenRacingReturnsCounts(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := newSceneOn(t, d)
			b := s.browser(taro)
			r := b.returning(b.visit(b.begin()))
			results := make(chan oidc.Done)
			for range 16 {
				go func() { results <- s.oidc.Finish(t.Context(), caller, r) }()
			}
			won := 0
			for range 16 {
				if done := <-results; done.Token != "" {
					won++
				} else if problem(t, done) != "oidc_state_invalid" {
					t.Errorf("%+v", done)
				}
			}
			if won != 1 {
				t.Errorf("%d counted", won)
			}
		})
	}
}
