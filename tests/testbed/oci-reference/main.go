// Prints what the reference parser of the distribution project makes of texts.
//
// Every line on standard input is one text in hexadecimal; the answer is one line of JSON: the parts of the reference, or
// the error.
package main

import (
	"bufio"
	"bytes"
	// Digests by these are refused unless something uses them, as every container tool does.
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"log"
	"os"

	"github.com/distribution/reference"
)

type answer struct {
	Domain string `json:"domain"`
	Path   string `json:"path"`
	Tag    string `json:"tag"`
	Digest string `json:"digest"`
	Text   string `json:"text"`
	Error  string `json:"error"`
}

func read(text string) answer {
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return answer{Error: err.Error()}
	}
	result := answer{Domain: reference.Domain(named), Path: reference.Path(named), Text: named.String()}
	if tagged, ok := named.(reference.Tagged); ok {
		result.Tag = tagged.Tag()
	}
	if digested, ok := named.(reference.Digested); ok {
		result.Digest = digested.Digest().String()
	}
	return result
}

func main() {
	lines := bufio.NewReader(os.Stdin)
	output := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(output)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		text, err := hex.DecodeString(string(bytes.TrimSpace(line)))
		if err != nil {
			log.Fatal(err)
		}
		if err := encoder.Encode(read(string(text))); err != nil {
			log.Fatal(err)
		}
	}
	if err := output.Flush(); err != nil {
		log.Fatal(err)
	}
}
