package compat_test

import (
	"encoding/json"
	"testing"

	"connecthub/models"
	"connecthub/models/compat"
)

func TestVersionsHaveOneOrderInBothSpellings(t *testing.T) {
	t.Parallel()
	order := []string{"", "12.0(1)", "12.5(1)", "12.5(1)ES9", "12.5(1)ES55", "12.5(1)ES66", "12.5(2)",
		"12.5(2)ES1", "12.6(1)", "12.6(1)ES3", "12.6(1)ES4", "12.6(2)", "15.0(1)", "15.0(1)ES20",
		"15.0(1)SU1", "15.0(1)SU1ES3", "15.0(1)SU2"}
	versions := make([]compat.Version, len(order))
	for i, text := range order {
		if err := versions[i].UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if versions[i].String() != text || versions[i].IsZero() != (text == "") {
			t.Errorf("%q is shown as %q", text, versions[i])
		}
	}
	for i, v := range versions {
		for j, w := range versions {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if v.Compare(w) != want || v.Less(w) != (want < 0) || (v == w) != (want == 0) {
				t.Errorf("%q against %q: %d", v, w, v.Compare(w))
			}
			if i > 0 && j > 0 && v.Release().Compare(w.Release()) != want {
				t.Errorf("%q against %q", v.Release(), w.Release())
			}
		}
		if i > 0 {
			if back, err := compat.FromRelease(v.Release()); err != nil || back != v {
				t.Errorf("%q comes back from %q as %q: %v", v, v.Release(), back, err)
			}
		}
	}
}

func TestVersionsAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"12.6(1)ES04": "12.6(1)ES4", "12.6(2)_ES4": "12.6(2)ES4",
		"12.5(1) ES66": "12.5(1)ES66", "12.6(1)-es3": "12.6(1)ES3", "15.0(1)su2": "15.0(1)SU2",
		"15.0(1)_SU1_ES3": "15.0(1)SU1ES3"} {
		if v, err := compat.Parse(text); err != nil || v.String() != want {
			t.Errorf("%q is read as %q: %v", text, v, err)
		}
	}
	for _, text := range []string{"", "12.6", "12.6.1", "12.6(1", "12.6()", "v12.6(1)", "12.6(1) ", " 12.6(1)",
		"12.6(1)ES", "12.6(1)ES0", "12.6(1)ES4x", "12.6(1)ES3SU1", "12.6(1)  ES3", "12.6(1)MR", "12.6(-1)",
		"12345.6(1)", "0.1(1)", "12.6(1)ES12345", "１２.6(1)", "12.6(1)\n"} {
		if v, err := compat.Parse(text); err == nil {
			t.Errorf("%q is taken as %q", text, v)
		}
	}
}

func TestABundlesNumberIsReadAsAVersion(t *testing.T) {
	t.Parallel()
	for text, want := range map[models.Version]string{"12.6.1": "12.6(1)", "15.0.1.10000-21": "15.0(1)",
		"12.6.1.0.4": "12.6(1)ES4", "15.0.1.2-7": "15.0(1)SU2"} {
		if v, err := compat.FromRelease(text); err != nil || v.String() != want {
			t.Errorf("%q is read as %q: %v", text, v, err)
		}
	}
	for _, text := range []models.Version{"", "12", "12.6", "0.0.1", "12.6.1.0.4.5", "12.6.x", "99999.1.1"} {
		if v, err := compat.FromRelease(text); err == nil {
			t.Errorf("%q is taken as %q", text, v)
		}
	}
}

func TestAVersionStandsInJSONAsItIsShown(t *testing.T) {
	t.Parallel()
	var v struct{ V, None compat.Version }
	if err := json.Unmarshal([]byte(`{"V":"12.6(1)_ES04","None":""}`), &v); err != nil {
		t.Fatal(err)
	}
	if text, err := json.Marshal(v); err != nil || string(text) != `{"V":"12.6(1)ES4","None":""}` {
		t.Errorf("%s %v", text, err)
	}
}
