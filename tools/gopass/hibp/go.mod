module github.com/gopasspw/gopass-hibp

go 1.24
