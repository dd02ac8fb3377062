"""Target → Checkout: a commit of the application repository laid out, nothing of it run."""
