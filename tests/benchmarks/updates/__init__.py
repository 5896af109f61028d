"""What the update of an optimizer costs, beside other libraries and the speed of memory."""
