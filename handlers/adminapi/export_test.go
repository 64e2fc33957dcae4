package adminapi

// ChangeWords gives the sentences of changes to the tests: English, Japanese.
func ChangeWords() map[string][2]string {
	out := map[string][2]string{}
	for action, w := range changeTexts() {
		out[action] = [2]string{w.en, w.ja}
	}
	return out
}
