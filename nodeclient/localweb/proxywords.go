package localweb

// proxyWords are the sentences of the proxy's page in one language; those of a test's results belong
// to the test.
type proxyWords struct {
	Title, Lead, Where, UCCE, UCCX                           string
	Address, AddressHelp, User, Password, PasswordKept       string
	NoProxy, NoProxyHelp, CA, CAHelp, CATrusted              string
	Test, Save, Clear, ClearHelp                             string
	Results, OK, Failed, Skipped, NotNeeded                  string
	Passed, NotPassed                                        string
	Stored, NotStored, TypePassword, Unreadable, Busy, Until string
}

func proxyWordsOf(language string) proxyWords {
	if language == "ja" {
		return japaneseProxy()
	}
	return englishProxy()
}

func englishProxy() proxyWords {
	return proxyWords{ //nolint:gosec // the word for a password is none
		Title: "HTTP proxy",
		Lead: "All that this node sends to Connect Hub goes through this proxy: registration, polls and " +
			"downloads. A change holds from the next request on; the registration stays.",
		Where: "Your administrators keep the proxy's address here:",
		UCCE:  "Unified CCE and Packaged CCE (UCCE, PCCE): Unified CCE Administration",
		UCCX:  "Unified CCX (UCCX): Unified CCX Administration",

		Address: "Address", AddressHelp: "http://HOST:PORT. Leave it empty to connect directly.",
		User: "User name, if the proxy asks for one", Password: "Password",
		PasswordKept: "A password is stored. Leave this empty to keep it for the same proxy and user.",
		NoProxy:      "Reached directly (no_proxy)",
		NoProxyHelp: "Names with all below them, addresses and networks, with commas between them: " +
			"example.com, 10.0.0.0/8. This machine itself is always reached directly.",
		CA: "CA of a proxy that inspects TLS (PEM)",
		CAHelp: "Only if your proxy inspects TLS. Whoever holds this CA's key can then read what this node " +
			"sends and is answered. Permits, statements and bundles stay signed by the hub: the proxy cannot " +
			"make this node upgrade, or forget its registration.",
		CATrusted: "Trusted beside the hub's own CA", Until: "until",
		Test: "Test", Save: "Save and test", Clear: "Use no proxy",
		ClearHelp: "“Use no proxy” also forgets the user name, the password and the CA.",

		Results: "Result of the test", OK: "OK", Failed: "Failed", Skipped: "Not checked", NotNeeded: "Not needed",
		Passed:    "Connect Hub can be reached this way.",
		NotPassed: "Connect Hub cannot be used this way. See what failed below.",
		Stored:    "Stored. The next request uses it.",
		NotStored: "The setting could not be stored on this node; see the agent's log.",
		TypePassword: "Type the password again: a stored one is used for the same proxy and user only. " +
			"Leave the user name empty if the proxy asks for none.",
		Unreadable: "The stored setting cannot be read, and until it can this node sends nothing. Store it again.",
		Busy:       "Another test is running. Try again in a moment.",
	}
}

func japaneseProxy() proxyWords {
	return proxyWords{ //nolint:gosec // the word for a password is none
		Title: "HTTP プロキシ",
		Lead: "このノードから Connect Hub への通信(登録、ポーリング、ダウンロード)は、すべてこのプロキシを経由します。" +
			"変更は次の要求から有効になり、登録し直す必要はありません。",
		Where: "プロキシのアドレスは、管理者が次の画面で管理しています。",
		UCCE:  "Unified CCE および Packaged CCE(UCCE、PCCE): Unified CCE Administration",
		UCCX:  "Unified CCX(UCCX): Unified CCX Administration",

		Address: "アドレス", AddressHelp: "http://ホスト:ポート。直接接続する場合は空欄にします。",
		User: "ユーザ名(プロキシが求める場合)", Password: "パスワード",
		PasswordKept: "パスワードは保存されています。同じプロキシとユーザで引き続き使用する場合は空欄のままにします。",
		NoProxy:      "直接接続する宛先(no_proxy)",
		NoProxyHelp: "名前(その下位を含む)、アドレス、ネットワークをカンマ区切りで入力します。" +
			"例: example.com, 10.0.0.0/8。このマシン自身には常に直接接続します。",
		CA: "TLS を検査するプロキシの CA(PEM)",
		CAHelp: "プロキシが TLS を検査する場合にのみ指定します。この CA の鍵を持つ相手は、このノードの通信内容を読むことができます。" +
			"許可、通知、バンドルはハブが署名しているため、プロキシがこのノードをアップグレードさせたり、登録を解除させたりすることはできません。",
		CATrusted: "ハブの CA に加えて信頼しています", Until: "期限",
		Test: "テスト", Save: "保存してテスト", Clear: "プロキシを使用しない",
		ClearHelp: "「プロキシを使用しない」を選ぶと、ユーザ名、パスワード、CA も削除されます。",

		Results: "テストの結果", OK: "成功", Failed: "失敗", Skipped: "未確認", NotNeeded: "不要",
		Passed:    "この設定で Connect Hub に接続できます。",
		NotPassed: "この設定では Connect Hub を使用できません。失敗した項目を確認してください。",
		Stored:    "保存しました。次の要求から使用されます。",
		NotStored: "設定をこのノードに保存できませんでした。エージェントのログを確認してください。",
		TypePassword: "パスワードをもう一度入力してください。保存されたパスワードは、同じプロキシとユーザにのみ使用されます。" +
			"プロキシがユーザ名を求めない場合は、ユーザ名を空欄にしてください。",
		Unreadable: "保存された設定を読み取れません。読み取れるまで、このノードは何も送信しません。設定を保存し直してください。",
		Busy:       "別のテストを実行中です。しばらくしてからもう一度お試しください。",
	}
}
