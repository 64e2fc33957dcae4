package logs

// Limited is a log with another limit, for tests.
func Limited(dir string, name Name, limit int64) *Log { return &Log{Folder(dir), name, limit} }
