package encoding_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"strings"

	"filippo.io/age"

	"github.com/strongroom-dev/strongroom/archive/encoding"
)

// Compress and encrypt with public keys only, and read with an identity. An archive takes
// both: archive.Options has an Encoder and a Decoder.
func Example() {
	id, err := age.GenerateX25519Identity() // age-keygen makes them, elsewhere
	if err != nil {
		log.Fatal(err)
	}
	budget, err := encoding.NewBudget(encoding.Limits{}) // one for the whole process
	if err != nil {
		log.Fatal(err)
	}
	enc, err := encoding.New(encoding.Settings{Compression: encoding.Zstd, Recipients: []string{id.Recipient().String()}, Budget: budget})
	if err != nil {
		log.Fatal(err)
	}
	content := strings.NewReader(strings.Repeat("log entries\n", 10_000))
	how, err := enc.Choose(content, content.Size())
	if err != nil {
		log.Fatal(err)
	}
	stored, err := enc.Encode(context.Background(), content, content.Size(), how)
	if err != nil {
		log.Fatal(err)
	}
	defer stored.Close()
	fmt.Println(how, "smaller:", stored.Stored.Size < stored.Plain.Size)

	plain := encoding.NewDecoder(id).Decode(io.NewSectionReader(stored, 0, stored.Stored.Size), how, stored.Plain.Size, enc.Recipients())
	defer plain.Close()
	var back bytes.Buffer
	if _, err := io.Copy(&back, plain); err != nil {
		log.Fatal(err)
	}
	fmt.Println(back.Len(), "bytes are back")
	// Output:
	// zstd+age smaller: true
	// 120000 bytes are back
}
