"""How `offboard` tells what is left to do, and takes somebody out of the recipients."""
