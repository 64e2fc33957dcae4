package window_test

import (
	"testing"
	"time"

	"connecthub/scheduler/window"
)

func BenchmarkNext(b *testing.B) {
	z, _ := window.LoadZone("Europe/Berlin")
	r, _ := window.NewRule(window.TimeOfDay{Hour: 3}, window.Daily, z, window.DefaultLength)
	weekly, _ := window.NewRule(window.TimeOfDay{Hour: 3}, window.On(1), z, window.DefaultLength)
	p := window.Plan{Regular: weekly, Emergency: r}
	now := time.Date(2031, 5, 5, 12, 0, 0, 0, time.UTC)
	b.Run("daily", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.Next(now)
		}
	})
	b.Run("weekly", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			weekly.Next(now)
		}
	})
	b.Run("either", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p.NextEither(now)
		}
	})
}
