// Command zonedata makes the hub's and the agent's own copy of the IANA time zone data out of the
// copy that a Go release carries. It knows no rules about windows.
package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
)

func main() {
	goroot := flag.String("goroot", "", "root of the Go release whose zone data are taken")
	out := flag.String("out", "", "file to write")
	flag.Parse()
	if err := run(*goroot, *out); err != nil {
		fmt.Fprintln(os.Stderr, "zonedata:", err)
		os.Exit(1)
	}
}

func run(goroot, out string) error {
	dir := filepath.Join(goroot, "lib", "time")
	version, err := versionOf(filepath.Join(dir, "update.bash"))
	if err != nil {
		return err
	}
	zones, err := readZones(filepath.Join(dir, "zoneinfo.zip"))
	if err != nil {
		return err
	}
	packed, err := pack(zones, version)
	if err != nil {
		return err
	}
	if err := os.WriteFile(out, packed, 0o644); err != nil {
		return fmt.Errorf("cannot write the zone data: %w", err)
	}
	fmt.Printf("zone data %s: %d names, %d bytes\n", version, len(zones), len(packed))
	return nil
}

// versionOf finds the release of the IANA data in the script that fetched it.
func versionOf(script string) (string, error) {
	text, err := os.ReadFile(script)
	if err != nil {
		return "", fmt.Errorf("cannot read the release of the zone data: %w", err)
	}
	found := regexp.MustCompile(`(?m)^DATA=(\d{4}[a-z]+)$`).FindSubmatch(text)
	if found == nil {
		return "", fmt.Errorf("cannot find the release of the zone data in %s", script)
	}
	return string(found[1]), nil
}

func readZones(path string) (map[string][]byte, error) {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open the zone data of this Go release: %w", err)
	}
	defer func() { _ = archive.Close() }()
	zones := make(map[string][]byte)
	for _, f := range archive.File {
		// Factory is the zone of a machine that nobody has set up: no schedule means it.
		if strings.HasSuffix(f.Name, "/") || f.Name == "Factory" {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return nil, fmt.Errorf("cannot open zone %s: %w", f.Name, err)
		}
		data, err := io.ReadAll(io.LimitReader(r, 1<<20))
		r.Close()
		if err != nil {
			return nil, fmt.Errorf("cannot read zone %s: %w", f.Name, err)
		}
		zones[f.Name] = data
	}
	return zones, nil
}

// pack writes a compressed tape archive in which zones of equal content are links to the first of
// them. The release of the data is the comment of the compressed file.
func pack(zones map[string][]byte, version string) ([]byte, error) {
	names := make([]string, 0, len(zones))
	for name := range zones {
		names = append(names, name)
	}
	sort.Strings(names)

	var packed bytes.Buffer
	zw, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	zw.Comment = version
	tw := tar.NewWriter(zw)
	first := make(map[string]string)
	for _, name := range names {
		data := zones[name]
		h := &tar.Header{Name: name, Mode: 0o644, Typeflag: tar.TypeReg, Size: int64(len(data))}
		if same, ok := first[string(data)]; ok {
			h.Typeflag, h.Linkname, h.Size, data = tar.TypeLink, same, 0, nil
		} else {
			first[string(data)] = name
		}
		if err := tw.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("cannot pack zone %s: %w", name, err)
		}
		if _, err := tw.Write(data); err != nil {
			return nil, fmt.Errorf("cannot pack zone %s: %w", name, err)
		}
	}
	if err := tw.Close(); err != nil {
		return nil, err
	}
	if err := zw.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}
