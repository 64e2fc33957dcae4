package target_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"connecthub/models/compat"
	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/target"
	"connecthub/nodeclient/control/vosapi"
)

func TestAReasonIsSaidInTheReadersLanguage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		r      target.Reason
		en, ja string
	}{
		{target.Because("exit_1619", target.Because("installer_failed").Inner()),
			"the program on the machine failed with exit code 1619 (the installer failed)",
			"マシン上のプログラムが終了コード 1619 で失敗しました(インストーラが失敗しました)"},
		{target.Because("exit_5", ""), "the program on the machine failed with exit code 5",
			"マシン上のプログラムが終了コード 5 で失敗しました"},
		{target.Because("changed", "12.6(1)", "{0}"), "the machine has 12.6(1), the plan was made for {0}",
			"マシンのバージョンは 12.6(1) ですが、計画は {0} を前提としています"},
		{target.Refused(&vosapi.Refusal{Code: vosapi.NoSpace, Detail: "1 < 2"}),
			"there is not enough room on the machine's disk (1 < 2)", "マシンのディスクの空き容量が足りません(1 < 2)"},
		{target.Refused(&vosapi.Refusal{Code: vosapi.NoPatch}), "no patch is installed", "パッチはインストールされていません"},
		{target.Explain(&target.Obstacle{Reason: target.Because("timeout", target.Because("no_answer").Inner()),
			Err: remote.ErrTimeout}), "it did not end in time (the machine did not answer in time)",
			"時間内に終わりませんでした(マシンから時間内に応答がありません)"},
		{target.Explain(fmt.Errorf("a: %w", remote.ErrKeyRefused)),
			"the machine refuses this node's key; run: utils deployment test-connection",
			"このノードの鍵がマシンに拒否されました。utils deployment test-connection を実行してください"},
		{target.Incompatible(compat.Refusal{Code: compat.NeedsPatchBefore, Machine: "a", Product: "CVP", Has: "12.5(1)",
			Needs: "ES6"}), "CVP has 12.5(1): install ES6 first.", "CVP は 12.5(1) です。先に ES6 をインストールしてください。"},
	} {
		text, err := json.Marshal(c.r)
		var kept target.Reason
		if err != nil || json.Unmarshal(text, &kept) != nil {
			t.Fatal(string(text), err)
		}
		if kept.Sentence("en") != c.en || kept.Sentence("ja") != c.ja {
			t.Errorf("%s: %q, %q", text, kept.Sentence("en"), kept.Sentence("ja"))
		}
	}
}

func TestEveryReasonHasASentenceInBothLanguages(t *testing.T) {
	t.Parallel()
	for _, code := range target.Codes() {
		r := target.Because(code, "AA", "BB", "CC", "DD")
		if en, ja := r.Sentence("en"), r.Sentence("ja"); len(en) < 8 || strings.ContainsAny(en+ja, "{}") ||
			!strings.ContainsFunc(ja, func(r rune) bool { return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) }) {
			t.Errorf("%s: %q, %q", code, en, ja)
		}
	}
}

// Journals of before kept a code and the words of then.
func TestWhatAnOldJournalSaysStaysReadable(t *testing.T) {
	t.Parallel()
	for _, old := range []string{"exit_1603", "changed", "internal", "error", "compat.no_such", "of a newer version"} {
		if s := (target.Reason{Code: old}).Say("ja", "as written"); s != "as written" {
			t.Errorf("%s: %q", old, s)
		}
	}
	if s := (target.Reason{Code: "lost"}).Say("ja", "as written"); s != "操作の途中でマシンが再起動されました" {
		t.Error(s)
	}
}
