// Prints what the lexer and the parser of CoreDNS make of texts.
//
// Every line on standard input is one text in hexadecimal; the answer is one line of JSON: the tokens with their lines,
// and either the server blocks with their keys and the tokens of each directive, or the error.
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"os"

	"github.com/coredns/caddy/caddyfile"
)

// A token as [line, text].
type token [2]any

type block struct {
	Keys       []string           `json:"keys"`
	Directives map[string][]token `json:"directives"`
}

type answer struct {
	Tokens []token `json:"tokens"`
	Blocks []block `json:"blocks"`
	Error  string  `json:"error"`
}

// Relative imports look here, and find nothing.
const name = "/nowhere/Corefile"

func read(text []byte) answer {
	result := answer{Tokens: []token{}, Blocks: []block{}}
	tokens := caddyfile.NewDispenser(name, bytes.NewReader(text))
	for tokens.Next() {
		result.Tokens = append(result.Tokens, token{tokens.Line(), tokens.Val()})
	}
	blocks, err := caddyfile.Parse(name, bytes.NewReader(text), nil)
	if err != nil {
		result.Error = err.Error()
		return result
	}
	for _, parsed := range blocks {
		directives := map[string][]token{}
		for directive, words := range parsed.Tokens {
			for _, word := range words {
				directives[directive] = append(directives[directive], token{word.Line, word.Text})
			}
		}
		result.Blocks = append(result.Blocks, block{parsed.Keys, directives})
	}
	return result
}

func main() {
	log.SetOutput(io.Discard) // globs that match nothing
	lines := bufio.NewReader(os.Stdin)
	output := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(output)
	encoder.SetEscapeHTML(false)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		text, err := hex.DecodeString(string(bytes.TrimSpace(line)))
		if err != nil {
			log.SetOutput(os.Stderr)
			log.Fatal(err)
		}
		if err := encoder.Encode(read(text)); err != nil {
			log.SetOutput(os.Stderr)
			log.Fatal(err)
		}
	}
	if err := output.Flush(); err != nil {
		os.Exit(1)
	}
}
