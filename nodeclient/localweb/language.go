package localweb

import (
	"net/http"
	"strconv"
	"strings"
)

const languageCookie = "__Host-language"

// language is "ja" or "en": what was chosen on the page, else what the browser prefers.
func language(r *http.Request) string {
	if chosen := r.URL.Query().Get("lang"); chosen == "ja" || chosen == "en" {
		return chosen
	}
	if c, err := r.Cookie(languageCookie); err == nil && (c.Value == "ja" || c.Value == "en") {
		return c.Value
	}
	return preferred(r.Header.Get("Accept-Language"))
}

// preferred is the better liked of the two languages; English where neither is named.
func preferred(header string) string {
	best := map[string]float64{}
	for i, part := range strings.Split(header, ",") {
		if i == 16 {
			break
		}
		tag, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		primary, _, _ := strings.Cut(strings.ToLower(tag), "-")
		q := 1.0
		if text, ok := strings.CutPrefix(strings.TrimSpace(weight), "q="); ok {
			if v, err := strconv.ParseFloat(text, 64); err == nil {
				q = v
			}
		}
		best[primary] = max(best[primary], q)
	}
	if best["ja"] > best["en"] {
		return "ja"
	}
	return "en"
}

func rememberLanguage(w http.ResponseWriter, r *http.Request) {
	chosen := r.URL.Query().Get("lang")
	if chosen != "ja" && chosen != "en" {
		return
	}
	http.SetCookie(w, &http.Cookie{Name: languageCookie, Value: chosen, Path: "/", Secure: true,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: 365 * 24 * 3600})
}
