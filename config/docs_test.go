package config

import (
	"os"
	"strings"
	"testing"
)

// The sample of docs/cli.md has every key. Users copy it, so it is right as it is printed.
func TestSampleInDocs(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(b), "\n    state_dir: ")
	text, _, ended := strings.Cut(text, "\n\n")
	if !found || !ended {
		t.Fatal("docs/cli.md has no sample that begins with state_dir")
	}
	sample := strings.ReplaceAll("    state_dir: "+text, "\n    ", "\n")[4:]
	a := mustParse(t, sample).Archives[0]
	if a.Source.Before == "" || a.Source.After != "" || a.Source.CommandTimeout != DefaultCommandTimeout {
		t.Errorf("the source is %+v", a.Source)
	}
	for _, key := range keys[Archive]() {
		if !strings.Contains(sample, key+":") {
			t.Errorf("the sample lacks the key %s", key)
		}
	}
}

// The example of prices is copied, too. Its first lines show what to replace, so it has three clouds and is right.
func TestPricesInDocs(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(b), "\n    prices:\n      - for: s3://\n")
	text, after, ended := strings.Cut(text, "\n\n")
	if !found || !ended || !strings.HasPrefix(after, "**These figures are only an example. Prices change**") {
		t.Fatal("docs/cli.md has no example of prices with a warning behind it")
	}
	c := mustParse(t, minimal("", "")+"prices:\n  - for: s3://\n"+strings.ReplaceAll("\n"+text, "\n    ", "\n")[1:]+"\n")
	for _, url := range []string{"s3://b/x", "gs://b/x", "azblob://c/x"} {
		if p := c.PricesOf(url); p == nil || p.Egress == nil || len(p.Classes) < 2 {
			t.Errorf("%s has the prices %+v", url, p)
		}
	}
}

// An empty command is none. One that is empty only by its variable is a mistake.
func TestEmptyCommand(t *testing.T) {
	t.Parallel()
	a := mustParse(t, minimal("before: ''\nafter: \"\"", "")).Archives[0]
	if a.Source.Before != "" || a.Source.After != "" || a.Source.CommandTimeout != 0 {
		t.Errorf("the source is %+v", a.Source)
	}
	for _, source := range []string{"after: ${EMPTY}", "after: ' '", "after:"} {
		if p := problems(t, minimal(source, "")); len(p) != 1 {
			t.Errorf("%s: %+v", source, p)
		}
	}
}

// A secret behind the bucket's name is not in the line that a problem shows.
func TestSecretBehindTheBucketIsNotShown(t *testing.T) {
	t.Parallel()
	for _, destination := range []string{"s3://b:hunter2", "gs://b:hun/ter2", "azblob://b%3Ahunter2/x"} {
		_, err := parse(strings.Replace(minimal("", ""), "file:///backup", destination+"\n    shedule: x", 1))
		if err == nil || strings.Contains(err.Error(), "ter2") {
			t.Errorf("%s: %v", destination, err)
		}
	}
}

// The places of values that only an attempt can test are known for each archive.
func TestPlaces(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/strongroom.yaml"
	text := `defaults: {notify: ["https://hc.example.org/x"]}
archives:
  - {name: a, source: {dir: /a}, destination: file:///backup/a}
  - name: b
    source: {dir: /b}
    notify: ["https://hc.example.org/b"]
    destinations:
      - file:///backup/b
      - file:///other/b
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	for key, line := range map[placeKey]string{
		{"a", "destination"}: ":3", {"a", "notify"}: ":1", {"b", "destination"}: ":8",
		{"b.2", "destination"}: ":9", {"b", "notify"}: ":6", {"b.2", "notify"}: ":6",
	} {
		if got := c.Place(key.archive, key.key); got != file+line {
			t.Errorf("%v is at %s, not %s", key, got, line)
		}
	}
}

// A destination on a line with a mistake shows no signature, key or user, wherever it was written.
func TestSecretsOfAWrongLineAreNotShown(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		`destinaton: "s3://b/x?X-Amz-Signature=hunter2"`, `destinaton: "azblob://c/x?sig=hunter2&region=eu"`,
		`destinaton: "gs://b/x?hunter2"`, `destinaton: "s3://b/x#hunter2"`, `destinaton: "s3:k:hunter2@b"`,
		`destinaton: "s3://k:hunter2@b/x"`,
	} {
		_, err := parse(strings.Replace(minimal("", ""), "destination: file:///backup", line, 1))
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", line, err)
		}
	}
}
