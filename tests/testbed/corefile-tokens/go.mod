module bobbypin.dev/testbed/corefile-tokens

go 1.26.0

require github.com/coredns/caddy v1.1.4
