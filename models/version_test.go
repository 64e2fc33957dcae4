package models_test

import (
	"testing"

	"connecthub/models"
)

func TestVersionsHaveOneOrder(t *testing.T) {
	t.Parallel()
	order := []models.Version{"no version", "0", "1.0", "1.0-2", "1.0-10", "1.0.1", "1.2", "1.10",
		"15.0.1.10000-21", "15.0.1.10000-22", "15.0.1.10001", "999999999.0.0.0.0.1"}
	for i, v := range order {
		for j, w := range order {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := v.Compare(w); got != want {
				t.Errorf("%q against %q: %d, want %d", v, w, got, want)
			}
		}
	}
	if models.Version("1").Compare("1.0.0") != 0 || models.Version("x").Compare("") != 0 {
		t.Error("a missing number does not count as zero")
	}
}

func TestWhatIsNoVersionIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", ".", "1.", ".1", "1..2", "1-", "-1", "1-2-3", "1-2.3", "a", "1.a",
		"1.2.3.4.5.6.7", "1234567890", "1 ", "+1", "１"} {
		if v, err := models.ParseVersion(text); err == nil {
			t.Errorf("%q is taken as %q", text, v)
		}
	}
	for _, text := range []string{"1", "1.2.3.4.5.6", "1.2.3.4.5.6-7", "15.0.1.10000-21", "00.1"} {
		if _, err := models.ParseVersion(text); err != nil {
			t.Errorf("%q is refused", text)
		}
	}
}

func TestAnUnmetRequirementIsSaidInBothLanguages(t *testing.T) {
	t.Parallel()
	for _, u := range []models.Unmet{
		{Node: "a.example.com", What: models.NeedsDisk, Needs: "10737418240", Has: "5368709120"},
		{Node: "a.example.com", What: models.NeedsMemory, Needs: "1048576"},
		{Node: "a.example.com", What: models.NeedsPackage, Needs: "libfoo (x)"},
		{Node: "a.example.com", What: models.NeedsToldPackage, Needs: "libfoo"},
		{Node: "a.example.com", What: models.NeedsVia, Needs: "1.5", Has: "1.0"},
		{Node: "a.example.com", What: models.NeedsVersion, Needs: "1.5", Has: "1.0"},
	} {
		back, ok := models.ParseUnmet(u.String())
		if !ok || back != u {
			t.Errorf("%q comes back as %+v", u.String(), back)
		}
		en := models.ReasonSentence(models.ReasonRequirementUnmet, u.String(), "en")
		ja := models.ReasonSentence(models.ReasonRequirementUnmet, u.String(), "ja")
		if en == ja || en != u.Sentence("en") || ja != u.Sentence("ja") {
			t.Errorf("%q reads %q and %q", u.String(), en, ja)
		}
	}
	disk := models.Unmet{Node: "a.example.com", What: models.NeedsDisk, Needs: "10737418240"}
	if got := disk.Sentence("en"); got !=
		"a.example.com needs 10.0 GiB of disk and has unknown. Give it a larger disk." {
		t.Error(got)
	}
}
