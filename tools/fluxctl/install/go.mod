// A stand-in for the templates of `fluxctl install`, whose module is not to be had.
module github.com/fluxcd/flux/pkg/install

go 1.24
