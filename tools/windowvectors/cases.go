package main

// testCase asks for the first windows on or after a civil date.
type testCase struct {
	zone, at, days, from string
	count                int
}

var cases = []testCase{
	// Plain days.
	{"UTC", "03:00", "daily", "2026-12-30", 4},
	{"Asia/Tokyo", "03:00", "daily", "2028-02-28", 4},
	{"Asia/Kolkata", "11:00", "monday", "2026-11-20", 3},
	{"Asia/Kathmandu", "00:00", "tuesday,friday", "2026-11-24", 4},
	{"Pacific/Kiritimati", "23:59", "daily", "2026-12-30", 3},
	{"Pacific/Niue", "00:00", "daily", "2026-12-30", 3},

	// Gaps: the offset before the jump decides.
	{"Europe/Berlin", "02:30", "daily", "2026-03-28", 3},
	{"Europe/Berlin", "02:00", "daily", "2026-03-28", 3},
	{"Europe/Berlin", "02:59", "daily", "2026-03-28", 3},
	{"Europe/Berlin", "03:00", "daily", "2026-03-28", 3},
	{"America/New_York", "02:30", "daily", "2026-03-07", 3},
	{"America/Los_Angeles", "02:00", "daily", "2026-03-07", 3},
	{"Australia/Sydney", "02:15", "daily", "2026-10-03", 3},
	{"Pacific/Chatham", "02:45", "daily", "2026-09-26", 3},
	{"Antarctica/Troll", "01:30", "daily", "2026-03-28", 3},
	{"Europe/Dublin", "01:30", "daily", "2026-03-28", 3},

	// Overlaps: the first of the two.
	{"Europe/Berlin", "02:30", "daily", "2026-10-24", 3},
	{"Europe/Berlin", "02:00", "daily", "2026-10-24", 3},
	{"Europe/Berlin", "03:00", "daily", "2026-10-24", 3},
	{"America/New_York", "01:30", "daily", "2026-10-31", 3},
	{"America/New_York", "01:00", "daily", "2026-10-31", 3},
	{"Australia/Sydney", "02:30", "daily", "2026-04-04", 3},
	{"Pacific/Chatham", "02:45", "daily", "2026-04-04", 3},
	{"Antarctica/Troll", "01:30", "daily", "2026-10-24", 3},

	// Half an hour only.
	{"Australia/Lord_Howe", "02:00", "daily", "2026-10-03", 3},
	{"Australia/Lord_Howe", "02:15", "daily", "2026-10-03", 3},
	{"Australia/Lord_Howe", "02:30", "daily", "2026-10-03", 3},
	{"Australia/Lord_Howe", "01:30", "daily", "2026-04-04", 3},
	{"Australia/Lord_Howe", "01:45", "daily", "2026-04-04", 3},
	{"Australia/Lord_Howe", "02:00", "daily", "2026-04-04", 3},

	// Weekly on the very day of the jump.
	{"Europe/Berlin", "02:30", "sunday", "2026-03-22", 3},
	{"Europe/Berlin", "02:30", "sunday", "2026-10-18", 3},
	{"America/New_York", "02:30", "sunday", "2026-03-01", 3},
	{"America/New_York", "01:30", "sunday", "2026-10-25", 3},
	{"Africa/Cairo", "00:00", "friday", "2026-04-17", 3},
	{"Asia/Beirut", "00:30", "sunday", "2026-03-22", 3},

	// The day begins with a gap, or its first hour comes twice.
	{"America/Sao_Paulo", "00:00", "daily", "2018-11-03", 3},
	{"America/Sao_Paulo", "00:30", "sunday", "2018-10-28", 3},
	{"America/Sao_Paulo", "23:30", "daily", "2018-02-16", 3},
	{"America/Sao_Paulo", "23:30", "daily", "2019-02-15", 3},
	{"Asia/Beirut", "00:00", "daily", "2026-03-28", 3},
	{"Asia/Beirut", "23:30", "daily", "2026-10-23", 4},
	{"Africa/Cairo", "00:30", "daily", "2026-04-23", 3},
	{"Africa/Cairo", "23:30", "daily", "2026-10-28", 3},
	{"America/Havana", "00:00", "daily", "2026-03-07", 3},
	{"America/Havana", "00:30", "daily", "2026-10-31", 3},
	{"America/Asuncion", "00:00", "daily", "2023-09-30", 3},
	{"America/Santiago", "00:00", "daily", "2026-09-05", 3},
	{"America/Santiago", "23:30", "daily", "2026-04-03", 3},
	{"Asia/Amman", "00:30", "daily", "2022-02-24", 3},
	{"Atlantic/Azores", "00:30", "daily", "2026-03-28", 3},
	{"America/Scoresbysund", "23:30", "daily", "2026-03-27", 3},
	// The gap carries the start into the next civil day; it belongs to the day before.
	{"America/Nuuk", "23:00", "daily", "2026-03-27", 3},
	{"America/Nuuk", "23:30", "daily", "2026-03-27", 3},
	{"America/Nuuk", "23:30", "saturday", "2026-03-21", 3},

	// Civil days that a zone skipped have no window.
	{"Pacific/Apia", "03:00", "daily", "2011-12-28", 4},
	{"Pacific/Apia", "00:00", "daily", "2011-12-28", 4},
	{"Pacific/Apia", "23:59", "friday", "2011-12-23", 3},
	{"Pacific/Fakaofo", "12:00", "daily", "2011-12-28", 4},
	{"Pacific/Kwajalein", "03:00", "daily", "1993-08-19", 4},
	{"Pacific/Kwajalein", "00:00", "saturday", "1993-08-14", 3},
	{"Pacific/Kiritimati", "03:00", "daily", "1994-12-29", 4},

	// Zones that changed their law.
	{"Europe/Istanbul", "03:30", "daily", "2016-03-26", 3},
	{"Europe/Istanbul", "03:30", "sunday", "2016-10-23", 3},
	{"Africa/Casablanca", "02:30", "daily", "2018-10-27", 3},
	{"Africa/Casablanca", "02:30", "daily", "2026-02-14", 3},
	{"Africa/Casablanca", "02:30", "daily", "2026-03-21", 3},
	{"America/Mexico_City", "02:30", "daily", "2022-04-02", 3},
	{"America/Mexico_City", "02:30", "sunday", "2023-03-26", 3},
	{"America/Mexico_City", "01:30", "daily", "2022-10-29", 3},
	{"Europe/Volgograd", "02:00", "daily", "2020-12-26", 3},
	{"Asia/Pyongyang", "23:30", "daily", "2018-05-03", 3},
	{"Asia/Pyongyang", "23:45", "daily", "2015-08-13", 3},
	{"America/Caracas", "02:45", "daily", "2016-04-30", 3},
	{"Africa/Juba", "23:30", "daily", "2021-01-30", 3},
	{"Asia/Almaty", "23:30", "daily", "2024-02-28", 3},
	{"Asia/Gaza", "02:30", "daily", "2026-03-27", 3},
	{"Asia/Tehran", "00:00", "daily", "2022-03-21", 3},

	// Far ahead: the law of today goes on.
	{"Europe/Berlin", "02:30", "daily", "2037-03-28", 3},
	{"Europe/Berlin", "02:30", "sunday", "2037-10-18", 3},
	{"America/New_York", "02:30", "sunday", "2037-03-01", 3},
	{"Australia/Lord_Howe", "02:15", "sunday", "2037-09-27", 3},
	{"Europe/London", "00:00", "daily", "2036-12-30", 4},
	{"Europe/Berlin", "02:30", "daily", "2099-03-28", 3},
}
